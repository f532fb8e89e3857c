import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type CryptoKey, importJWK, importSPKI, type JWK } from 'jose';
import type { AuthKeyOptions, Config } from '../config/schema.ts';

/** A key with the one algorithm that it is used with. */
export interface VerificationKey {
  /** Undefined: fits tokens of any `kid`. */
  readonly kid: string | undefined;
  readonly alg: string;
  readonly key: CryptoKey;
}

type JwksAlgorithm = Config['auth']['jwksAlgorithms'][number];

const RSA_BITS_MIN = 2048;
/** What a JSON Web Key of each algorithm looks like. Symmetric keys are not among them: a key that is published signs nothing. */
const FORMS: Readonly<Record<JwksAlgorithm, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
};

/** The keys that a token with this header may have been signed with. */
export function keysFor(keys: readonly VerificationKey[], alg: string | undefined, kid: string | undefined): readonly VerificationKey[] {
  return keys.filter((key) => key.alg === alg && (kid === undefined || key.kid === undefined || key.kid === kid));
}

/** @throws Error when the key cannot be read; the configuration's check has read it before */
export async function readStaticKey({ kid, alg, secret, publicKeyPem, publicKeyFile }: AuthKeyOptions): Promise<VerificationKey> {
  if (secret !== undefined) return { kid, alg, key: await importSecret(secret) };
  const pem = publicKeyPem ?? (await readFile(publicKeyFile as string, 'utf8'));
  // Written anew: jose refuses comments around the key, which OpenSSL and the configuration's check let pass.
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString();
  return { kid, alg, key: await importSPKI(spki, alg) };
}

/** As bytes it would be imported anew for every token: 140 µs of CPU a check instead of 41. */
function importSecret(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

/**
 * The keys of a JSON Web Key Set that can check tokens. Others are left out: sets hold encryption keys, and algorithms that are not in use here.
 *
 * @throws Error when this is no key set, or has no usable key, or more than `keysMax`
 */
export async function readKeySet(
  json: unknown,
  { algorithms, keysMax }: { readonly algorithms: readonly JwksAlgorithm[]; readonly keysMax: number },
): Promise<readonly VerificationKey[]> {
  const { keys } = (json ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the answer is no JSON Web Key Set');
  const fitting = keys.flatMap((jwk: JWK) => {
    const alg = algorithms.find((algorithm) => isUsable(jwk, algorithm));
    return alg === undefined ? [] : [{ jwk, alg }];
  });
  if (fitting.length > keysMax) throw new Error(`the key set has ${fitting.length} keys, more than tuning.auth.jwksKeysMax (${keysMax})`);
  const imported = await Promise.all(fitting.map(({ jwk, alg }) => importPublic(jwk, alg)));
  const usable = imported.filter((key) => key !== undefined);
  // An empty set is a mistake more often than a wish to refuse everybody, for good.
  if (usable.length === 0)
    throw new Error(`the key set has no key for auth.jwksAlgorithms (${algorithms.join(', ')}): ${keys.length} of others`);
  return usable;
}

function isUsable(jwk: JWK | null, algorithm: JwksAlgorithm): boolean {
  if (typeof jwk !== 'object' || jwk === null) return false;
  const { kty, crv } = FORMS[algorithm];
  if (jwk.kty !== kty || (crv !== undefined && jwk.crv !== crv)) return false;
  if (jwk.alg !== undefined && jwk.alg !== algorithm) return false;
  if (jwk.use !== undefined && jwk.use !== 'sig') return false;
  return jwk.key_ops === undefined || (Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'));
}

/** Undefined: the key is damaged or too short, which must not take the good ones of its set along. */
async function importPublic({ kty, crv, n, e, x, y, kid }: JWK, alg: JwksAlgorithm): Promise<VerificationKey | undefined> {
  try {
    // The public parts only: with a private part it would be imported as a key that signs.
    const parts = { RSA: { kty, n, e }, EC: { kty, crv, x, y }, OKP: { kty, crv, x } }[kty as string] as JWK;
    const key = (await importJWK(parts, alg)) as CryptoKey;
    const { modulusLength = RSA_BITS_MIN } = key.algorithm as { modulusLength?: number };
    return modulusLength < RSA_BITS_MIN ? undefined : { kid: typeof kid === 'string' ? kid : undefined, alg, key };
  } catch {
    return undefined;
  }
}
