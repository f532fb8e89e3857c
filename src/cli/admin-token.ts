import { readTokenFile } from '../config/admin-tokens.ts';
import type { Config } from '../config/schema.ts';

type Scope = Config['admin']['tokens'][number]['scopes'][number];

/** The token of the config that permits what the command asks for; empty if there is none. */
export function adminToken({ token, tokens }: Config['admin'], scope: Scope): string {
  if (token !== '') return token;
  const fitting = tokens.find(({ scopes }) => scopes.includes(scope));
  return fitting?.tokenFile === undefined ? (fitting?.token ?? '') : readTokenFile(fitting.tokenFile);
}
