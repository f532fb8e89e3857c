import type { Problem } from './problem.ts';
import type { AuthKeyOptions, Config } from './schema.ts';

/** An HS256 key has a secret, any other has one public key. Using a public key as an HMAC secret is the classic forgery. */
export function authKeysAreComplete({ auth }: Config): Problem[] {
  return auth.keys.flatMap((key, i) => {
    const expected = lackOf(key);
    return expected === undefined ? [] : [{ path: `auth.keys.${i}`, expected: `expected ${expected} for ${key.alg}` }];
  });
}

/** What a key should have; undefined if it is complete. */
export function lackOf({ alg, secret, publicKeyPem, publicKeyFile }: AuthKeyOptions): string | undefined {
  const publicKeys = [publicKeyPem, publicKeyFile].filter((key) => key !== undefined).length;
  if (alg === 'HS256') return secret !== undefined && publicKeys === 0 ? undefined : '`secret` and no public key';
  return secret === undefined && publicKeys === 1 ? undefined : 'either `publicKeyPem` or `publicKeyFile`, and no secret';
}

export function authKidsAreUnique({ auth }: Config): Problem[] {
  const seen = new Set<string>();
  return auth.keys.flatMap(({ kid }, i) => {
    if (kid === undefined || !seen.has(kid)) {
      if (kid !== undefined) seen.add(kid);
      return [];
    }
    return [{ path: `auth.keys.${i}.kid`, value: kid, expected: 'expected a kid that no other key has' }];
  });
}

export function jwksIsUsable({ auth }: Config): Problem[] {
  if (auth.jwksUrl === '') return [];
  const problems: Problem[] = [];
  if (!/^https?:\/\/\S+$/.test(auth.jwksUrl) || !URL.canParse(auth.jwksUrl)) {
    problems.push({ path: 'auth.jwksUrl', value: auth.jwksUrl, expected: 'expected an http or https URL' });
  }
  if (auth.jwksAlgorithms.length === 0)
    problems.push({ path: 'auth.jwksAlgorithms', value: [], expected: 'expected at least one, for auth.jwksUrl' });
  if (auth.jwksKeepMs < auth.jwksMaxAgeMs) {
    problems.push({ path: 'auth.jwksKeepMs', value: auth.jwksKeepMs, expected: 'expected at least auth.jwksMaxAgeMs' });
  }
  return problems;
}
