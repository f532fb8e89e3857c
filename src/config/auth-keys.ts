import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Problem } from './problem.ts';
import { readSmallFile } from './read-small-file.ts';
import { lackOf } from './relations-auth.ts';
import type { AuthKeyOptions, Config } from './schema.ts';

/** Larger than any key. */
const KEY_FILE_BYTES_MAX = 65_536;
const RSA_BITS_MIN = 2048;

/**
 * Public keys that cannot be read, or do not match their algorithm. This reads the files. Without
 * it the first worker would find the problem, when everything else has started.
 */
export function authKeysAreUsable({ auth }: Config): Problem[] {
  return auth.keys.flatMap((key, i) => {
    const path = `auth.keys.${i}`;
    if (lackOf(key) !== undefined) return [];
    // Not shown: a text that is not a public key may be a private one.
    if (key.publicKeyPem !== undefined) return expectKey({ path: `${path}.publicKeyPem`, value: undefined }, key.publicKeyPem, key.alg);
    if (key.publicKeyFile === undefined) return [];
    const setting = { path: `${path}.publicKeyFile`, value: key.publicKeyFile };
    const file = readSmallFile(key.publicKeyFile, KEY_FILE_BYTES_MAX);
    return 'reason' in file
      ? [{ ...setting, expected: `expected a file with a public key: ${file.reason}` }]
      : expectKey(setting, file.text, key.alg);
  });
}

function expectKey(setting: Pick<Problem, 'path' | 'value'>, pem: string, alg: AuthKeyOptions['alg']): Problem[] {
  const key = parseKey(pem);
  const expected = typeof key === 'string' ? `expected a public key in PEM (-----BEGIN PUBLIC KEY-----), not ${key}` : misfitOf(key, alg);
  return expected === undefined ? [] : [{ ...setting, expected }];
}

/** The key, or a description of the text if it is none. */
function parseKey(pem: string): KeyObject | string {
  const [, label] = /^-----BEGIN ([A-Z0-9 ]+)-----/m.exec(pem) ?? [];
  if (label === undefined) return pem.trim() === '' ? 'an empty text' : 'a text without a PEM header';
  // createPublicKey would accept a private key too, and derive the public one. But a private key must not be stored on a node.
  if (label !== 'PUBLIC KEY') return label.endsWith('PRIVATE KEY') ? 'a private key' : `-----BEGIN ${label}-----`;
  try {
    return createPublicKey(pem);
  } catch {
    return 'a damaged one';
  }
}

function misfitOf(key: KeyObject, alg: AuthKeyOptions['alg']): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const { modulusLength = 0, namedCurve } = details ?? {};
  if (alg === 'RS256') {
    if (type === 'rsa' && modulusLength >= RSA_BITS_MIN) return undefined;
    return `expected an RSA key of at least ${RSA_BITS_MIN} bits for RS256, not ${type === 'rsa' ? `one of ${modulusLength} bits` : nameOf(key)}`;
  }
  if (alg === 'ES256')
    return type === 'ec' && namedCurve === 'prime256v1' ? undefined : `expected an EC key on P-256 for ES256, not ${nameOf(key)}`;
  return type === 'ed25519' ? undefined : `expected an Ed25519 key for EdDSA, not ${nameOf(key)}`;
}

function nameOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  if (type === 'rsa') return `an RSA key of ${details?.modulusLength} bits`;
  if (type !== 'ec') return `a key of type ${type}`;
  return details?.namedCurve === 'prime256v1' ? 'an EC key on P-256' : `an EC key on ${details?.namedCurve}`;
}
