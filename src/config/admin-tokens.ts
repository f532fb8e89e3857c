import type { Problem } from './problem.ts';
import { readSmallFile } from './read-small-file.ts';
import type { Config } from './schema.ts';

/** Larger than any token. */
const FILE_BYTES_MAX = 4096;
/** Fewer can be guessed. */
export const ADMIN_TOKEN_LENGTH_MIN = 16;

/** A token of the admin port, and what it permits. */
export type AdminToken = Config['admin']['tokens'][number];
export type Scope = AdminToken['scopes'][number];

export const ALL_SCOPES: Scope[] = ['publish', 'read', 'admin'];

/** All tokens of the admin port: `admin.token` is short for an entry of the list with all scopes. */
export function adminTokensOf({ token, tokens }: Config['admin']): readonly AdminToken[] {
  return token === '' ? tokens : [{ token, scopes: ALL_SCOPES }, ...tokens];
}

/** The content of a token. @throws Error that says why its file cannot be used */
export function contentOf({ token = '', tokenFile }: AdminToken): string {
  return tokenFile === undefined ? token : readTokenFile(tokenFile);
}

/** Files of tokens that cannot be used. This reads them. */
export function adminTokenFilesAreUsable({ admin }: Config): Problem[] {
  return admin.tokens.flatMap(({ tokenFile }, i) => {
    if (tokenFile === undefined) return [];
    try {
      readTokenFile(tokenFile);
      return [];
    } catch (error) {
      const setting = { path: `admin.tokens.${i}.tokenFile`, value: tokenFile };
      return [{ ...setting, expected: `expected a file with a token: ${(error as Error).message}` }];
    }
  });
}

/** @returns the token, without white space around it. @throws Error that says why there is none */
export function readTokenFile(path: string): string {
  const file = readSmallFile(path, FILE_BYTES_MAX);
  if ('reason' in file) throw new Error(file.reason);
  const token = file.text.trim();
  if (token.length < ADMIN_TOKEN_LENGTH_MIN) throw new Error(`it has fewer than ${ADMIN_TOKEN_LENGTH_MIN} characters`);
  if (/\s/.test(token)) throw new Error('it has more than one word');
  return token;
}
