import { adminTokensOf, contentOf, type Scope } from '../../config/admin-tokens.ts';
import type { Config } from '../../config/schema.ts';

/** The first token of the config that permits what the command asks for; empty if there is none. */
export function adminToken(admin: Config['admin'], scope: Scope): string {
  const fitting = adminTokensOf(admin).find(({ scopes }) => scopes.includes(scope));
  return fitting === undefined ? '' : contentOf(fitting);
}
