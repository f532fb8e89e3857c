import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type CryptoKey, importJWK, importSPKI, type JWK } from 'jose';
import type { AuthKeyOptions, Config } from '../config/schema.ts';

/** A key with the one algorithm that it is used with. */
export interface VerificationKey {
  /** Undefined: matches tokens with any `kid`. */
  readonly kid: string | undefined;
  readonly alg: string;
  readonly key: CryptoKey;
  /** Of a symmetric algorithm. */
  readonly secret?: KeyObject;
}

type JwksAlgorithm = Config['auth']['jwksAlgorithms'][number];

const RSA_BITS_MIN = 2048;
/** The parameters of a JSON Web Key for each algorithm. Symmetric keys are excluded, because a published key must not sign. */
const FORMS: Readonly<Record<JwksAlgorithm, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
};

/** The keys that may have signed a token with this header. */
export function keysFor(keys: readonly VerificationKey[], alg: string | undefined, kid: string | undefined): readonly VerificationKey[] {
  return keys.filter((key) => key.alg === alg && (kid === undefined || key.kid === undefined || key.kid === kid));
}

/** @throws Error if the key cannot be read; the configuration check has read it before */
export async function readStaticKey({ kid, alg, secret, publicKeyPem, publicKeyFile }: AuthKeyOptions): Promise<VerificationKey> {
  if (secret !== undefined) return { kid, alg, key: await importSecret(secret), secret: createSecretKey(secret, 'utf8') };
  const pem = publicKeyPem ?? (await readFile(publicKeyFile as string, 'utf8'));
  // Exported again, because jose refuses comments around the key, which OpenSSL and the configuration check accept.
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString();
  return { kid, alg, key: await importSPKI(spki, alg) };
}

/** As bytes it would be imported again for every token: 140 µs of CPU per verification instead of 41. */
function importSecret(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

/**
 * The keys of a JSON Web Key Set that can verify tokens. Others are left out: sets contain encryption keys, and keys for algorithms that are not used here.
 *
 * @throws Error if this is not a key set, has no usable key, or has more than `keysMax`
 */
export async function readKeySet(
  json: unknown,
  { algorithms, keysMax }: { readonly algorithms: readonly JwksAlgorithm[]; readonly keysMax: number },
): Promise<readonly VerificationKey[]> {
  const { keys } = (json ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the answer is not a JSON Web Key Set');
  const fitting = keys.flatMap((jwk: JWK) => {
    const alg = algorithms.find((algorithm) => isUsable(jwk, algorithm));
    return alg === undefined ? [] : [{ jwk, alg }];
  });
  if (fitting.length > keysMax) throw new Error(`the key set has ${fitting.length} keys, more than tuning.auth.jwksKeysMax (${keysMax})`);
  const imported = await Promise.all(fitting.map(({ jwk, alg }) => importPublic(jwk, alg)));
  const usable = imported.filter((key) => key !== undefined);
  // An empty set is more often a mistake than the intention to refuse everybody permanently.
  if (usable.length === 0)
    throw new Error(`the key set has no key for auth.jwksAlgorithms (${algorithms.join(', ')}): ${keys.length} for others`);
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

/** Undefined: the key is damaged or too short. The other keys of its set stay usable. */
async function importPublic({ kty, crv, n, e, x, y, kid }: JWK, alg: JwksAlgorithm): Promise<VerificationKey | undefined> {
  try {
    // Only the public parts: with a private part it would be imported as a signing key.
    const parts = { RSA: { kty, n, e }, EC: { kty, crv, x, y }, OKP: { kty, crv, x } }[kty as string] as JWK;
    const key = (await importJWK(parts, alg)) as CryptoKey;
    const { modulusLength = RSA_BITS_MIN } = key.algorithm as { modulusLength?: number };
    return modulusLength < RSA_BITS_MIN ? undefined : { kid: typeof kid === 'string' ? kid : undefined, alg, key };
  } catch {
    return undefined;
  }
}
