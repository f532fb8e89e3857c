import { readFileSync, statSync } from 'node:fs';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

/** Larger than any token. Files above it are not read into memory. */
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
  const token = readSmall(path).trim();
  if (token.length < ADMIN_TOKEN_LENGTH_MIN) throw new Error(`it has fewer than ${ADMIN_TOKEN_LENGTH_MIN} characters`);
  if (/\s/.test(token)) throw new Error('it has more than one word');
  return token;
}

function readSmall(path: string): string {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new Error('it is a folder');
    if (stat.size > FILE_BYTES_MAX) throw new Error(`it has ${stat.size} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new Error(code === 'ENOENT' ? 'there is no such file (ENOENT)' : `it cannot be read (${code})`, { cause: error });
  }
}
