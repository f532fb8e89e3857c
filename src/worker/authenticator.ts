import { readFile } from 'node:fs/promises';
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  importSPKI,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Config } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { toWellFormed } from '../protocol/utf8.ts';
import type { Identity } from './identity.ts';

const Patterns = Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 256 }));
/** The claim `stentor`: what the bearer may do. Absent: public namespaces only. */
const StentorClaim = Type.Object({ subscribe: Patterns, publish: Patterns, call: Patterns });
const stentorClaim = Compile(StentorClaim);

/** `sub` is the user: it goes into every item that the user publishes, so its length is bounded. A number would be another user's text. */
const user = Compile(Type.String({ minLength: 1, maxLength: 256 }));

type AuthConfig = Config['auth'];
type VerificationKey = Awaited<ReturnType<typeof importSPKI>>;

interface StaticKey {
  readonly kid: string | undefined;
  readonly alg: string;
  readonly key: VerificationKey;
}

/** Turns tokens into identities. Every key is used with the one algorithm it was configured for, so an RS256 key never checks an HS256 token. */
export class Authenticator {
  readonly #auth: AuthConfig;
  readonly #keys: readonly StaticKey[];
  readonly #jwks: JWTVerifyGetKey | undefined;

  private constructor(auth: AuthConfig, keys: readonly StaticKey[], jwks: JWTVerifyGetKey | undefined) {
    this.#auth = auth;
    this.#keys = keys;
    this.#jwks = jwks;
  }

  /** @throws Error when a configured key cannot be read */
  static async create(auth: AuthConfig): Promise<Authenticator> {
    const keys = await Promise.all(auth.keys.map(readKey));
    const jwks = auth.jwksUrl === '' ? undefined : createRemoteJWKSet(new URL(auth.jwksUrl), { cooldownDuration: auth.jwksCooldownMs });
    return new Authenticator(auth, keys, jwks);
  }

  /** False: the token surely does not hold, which shows without its signature: no JWT, no key of its algorithm and name, or expired. */
  mayHold(token: string, nowMs = Date.now()): boolean {
    try {
      const { alg, kid } = decodeProtectedHeader(token);
      const { exp } = decodeJwt(token);
      if (exp === undefined || exp * 1000 + this.#auth.clockToleranceMs <= nowMs) return false;
      return this.#jwks !== undefined || this.#candidates(alg, kid).length > 0;
    } catch {
      return false;
    }
  }

  /** @throws ProtocolError `unauthorized`, `token_expired`, `unavailable` (the key set cannot be fetched) */
  async verify(token: string): Promise<Identity> {
    const { alg, kid } = headerOf(token);
    let failure: unknown;
    for (const candidate of this.#candidates(alg, kid)) {
      try {
        const { payload } = await jwtVerify(token, candidate.key, this.#options([candidate.alg]));
        return toIdentity(payload);
      } catch (error) {
        failure = error;
      }
    }
    if (this.#jwks !== undefined) {
      try {
        const { payload } = await jwtVerify(token, this.#jwks, this.#options(this.#auth.jwksAlgorithms));
        return toIdentity(payload);
      } catch (error) {
        failure = error;
      }
    }
    throw failure === undefined ? new ProtocolError('unauthorized', 'no key fits this token') : refusal(failure);
  }

  #candidates(alg: string | undefined, kid: string | undefined): readonly StaticKey[] {
    return this.#keys.filter((key) => key.alg === alg && (kid === undefined || key.kid === undefined || key.kid === kid));
  }

  #options(algorithms: readonly string[]) {
    const { issuer, audience, clockToleranceMs } = this.#auth;
    return {
      algorithms: [...algorithms],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: clockToleranceMs / 1000,
      ...(issuer !== '' && { issuer }),
      ...(audience !== '' && { audience }),
    };
  }
}

function headerOf(token: string): { alg: string | undefined; kid: string | undefined } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return { alg, kid };
  } catch (cause) {
    throw new ProtocolError('unauthorized', 'not a JWT', { cause });
  }
}

async function readKey(key: AuthConfig['keys'][number]): Promise<StaticKey> {
  if (key.secret !== undefined) return { kid: key.kid, alg: key.alg, key: await importSecret(key.secret) };
  const pem = key.publicKeyPem ?? (await readFile(key.publicKeyFile as string, 'utf8'));
  return { kid: key.kid, alg: key.alg, key: await importSPKI(pem, key.alg) };
}

/** As bytes it would be imported anew for every token: 140 µs of CPU a check instead of 41. */
function importSecret(secret: string): Promise<VerificationKey> {
  return crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

function toIdentity(payload: JWTPayload): Identity {
  if (!user.Check(payload.sub)) throw new ProtocolError('unauthorized', 'the claim `sub` is not a text of 1–256 characters');
  const claim = payload.stentor ?? {};
  if (!stentorClaim.Check(claim)) throw new ProtocolError('unauthorized', 'the claim `stentor` does not have its form');
  const { subscribe = [], publish = [], call = [] } = claim as Static<typeof StentorClaim>;
  return { user: toWellFormed(payload.sub), subscribe, publish, call, expiresAtMs: (payload.exp as number) * 1000 };
}

/** What the peer is told: enough to act on, nothing about keys. */
function refusal(failure: unknown): ProtocolError {
  if (failure instanceof ProtocolError) return failure;
  if (failure instanceof errors.JWTExpired) return new ProtocolError('token_expired', 'the token has expired', { cause: failure });
  if (failure instanceof errors.JWTClaimValidationFailed) {
    return new ProtocolError('unauthorized', `the token's claim "${failure.claim}" does not hold`, { cause: failure });
  }
  if (
    failure instanceof errors.JWKSTimeout ||
    failure instanceof errors.JWKSInvalid ||
    (failure instanceof errors.JOSEError && failure.code === 'ERR_JOSE_GENERIC') ||
    failure instanceof TypeError
  ) {
    return new ProtocolError('unavailable', 'the key set cannot be fetched now', { cause: failure });
  }
  return new ProtocolError('unauthorized', 'the token does not hold', { cause: failure });
}
