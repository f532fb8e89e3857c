import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type ProtectedHeaderParameters } from 'jose';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { ProtocolError } from '../protocol/errors.ts';
import { TIME_MS_MAX } from '../protocol/time-range.ts';
import { toWellFormed } from '../protocol/utf8.ts';
import type { Identity } from './identity.ts';
import { type AuthSettings, RemoteKeySet, type RemoteKeySetOptions } from './remote-key-set.ts';
import { claimsBySecret } from './secret-signature.ts';
import { SharedPatterns } from './shared-patterns.ts';
import { TokenCache } from './token-cache.ts';
import { keysFor, readStaticKey, type VerificationKey } from './verification-key.ts';

const Patterns = Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 256 }));
/** The claim `stentor`: what the bearer may do. Absent: public namespaces only. */
const StentorClaim = Type.Object({
  subscribe: Patterns,
  publish: Patterns,
  image: Patterns,
  call: Patterns,
  info: Type.Optional(Type.Unknown()),
  connectionsMax: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
});
const stentorClaim = Compile(StentorClaim);

/** `sub` is the user. It is in every item that the user publishes, so its length is limited. A number is refused, because as text it could be another user. */
const user = Compile(Type.String({ minLength: 1, maxLength: 256 }));

/** Control characters would come into logs, subjects and other clients' pages. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** The last time that a Date can have, in seconds since 1970: later ones are no times. */
const TIME_MAX_SECONDS = TIME_MS_MAX / 1000;

/** Of `info`, as JSON: each member of a topic has one, on every node. */
const INFO_BYTES_MAX = 1024;

/** What was found out about a token before its signature is checked. */
interface ReadToken {
  readonly token: string;
  readonly digest: string;
  header: ProtectedHeaderParameters | undefined;
}

/** Converts tokens to identities. Every key is used only with the one algorithm that it is configured for, so an RS256 key never verifies an HS256 token. */
export class Authenticator {
  readonly #auth: AuthSettings;
  readonly #keys: readonly VerificationKey[];
  readonly #keySet: RemoteKeySet | undefined;
  readonly #patterns = new SharedPatterns();
  readonly #verified: TokenCache;
  /** By {@link flawOf}, for {@link verify}: an upgrade calls both, one after the other. */
  #read: ReadToken | undefined;

  private constructor(auth: AuthSettings, keys: readonly VerificationKey[], keySet: RemoteKeySet | undefined) {
    this.#auth = auth;
    this.#keys = keys;
    this.#keySet = keySet;
    this.#verified = new TokenCache(auth);
  }

  /** Starts to fetch `auth.jwksUrl`, without waiting for it. @throws Error if a configured key cannot be read */
  static async create(options: RemoteKeySetOptions): Promise<Authenticator> {
    const { auth } = options;
    const keys = await Promise.all(auth.keys.map(readStaticKey));
    const keySet = auth.jwksUrl === '' ? undefined : new RemoteKeySet(options);
    keySet?.start();
    return new Authenticator(auth, keys, keySet);
  }

  /** Milliseconds since the keys of `auth.jwksUrl` were last fetched; 0 without a URL. */
  get keySetAgeMs(): number {
    return this.#keySet?.ageMs ?? 0;
  }

  stop(): void {
    this.#keySet?.stop();
  }

  /** Verified tokens that are kept, and their bytes, for metrics. */
  get kept(): { readonly tokens: number; readonly bytes: number } {
    return { tokens: this.#verified.size, bytes: this.#verified.bytes };
  }

  /** Why the token is certainly invalid, from what can be checked without its signature; undefined: it may be valid. */
  flawOf(token: string, nowMs = Date.now()): string | undefined {
    const read: ReadToken = { token, digest: this.#verified.digestOf(token), header: undefined };
    this.#read = read;
    const known = this.#verified.get(read.digest);
    if (known !== undefined && !this.#isExpired(known.identity, nowMs)) return undefined;
    try {
      read.header = decodeProtectedHeader(token);
      const { alg, kid } = read.header;
      const { exp } = decodeJwt(token);
      if (exp === undefined) return 'the token has no `exp`';
      if (exp * 1000 + this.#auth.clockToleranceMs <= nowMs) return `the token expired ${Math.round(nowMs / 1000 - exp)} s ago`;
      if (this.#isOfKeySet(alg)) return undefined;
      return keysFor(this.#keys, alg, kid).length > 0 ? undefined : `no key matches the token: ${describeHeader({ alg, kid })}`;
    } catch {
      return 'the token is not a JWT';
    }
  }

  /** @throws ProtocolError `unauthorized`, `token_expired`, `unavailable` (the key set cannot be fetched, or not again so soon) */
  async verify(token: string): Promise<Identity> {
    const read = this.#takeRead(token);
    const known = await this.#recall(read);
    if (known !== undefined) return known;
    const identity = (await this.#try(read, this.#keys)) ?? (await this.#tryKeySet(read));
    if (identity === undefined) {
      throw new ProtocolError('unauthorized', 'the token is not signed with a known key', {
        cause: new Error(describeHeader(headerOf(read))),
      });
    }
    return identity;
  }

  #takeRead(token: string): ReadToken {
    const read = this.#read;
    this.#read = undefined;
    return read?.token === token ? read : { token, digest: this.#verified.digestOf(token), header: undefined };
  }

  /** The result of an earlier verification, while it still counts. @throws ProtocolError `unavailable` */
  async #recall({ digest }: ReadToken): Promise<Identity | undefined> {
    const known = this.#verified.get(digest);
    if (known === undefined) return undefined;
    const { identity, keys } = known;
    // A key may have been withdrawn: then there is another key set.
    if (!this.#isExpired(identity, Date.now()) && (keys === this.#keys || keys === (await this.#keySet?.keys()))) return identity;
    this.#verified.delete(digest);
    return undefined;
  }

  #isExpired({ expiresAtMs = 0 }: Identity, nowMs: number): boolean {
    return expiresAtMs + this.#auth.clockToleranceMs <= nowMs;
  }

  #isOfKeySet(alg: string | undefined): boolean {
    return this.#keySet !== undefined && this.#auth.jwksAlgorithms.some((algorithm) => algorithm === alg);
  }

  async #tryKeySet(read: ReadToken): Promise<Identity | undefined> {
    const { alg, kid } = headerOf(read);
    if (this.#keySet === undefined || !this.#isOfKeySet(alg)) return undefined;
    const cameAtMs = Date.now();
    const known = await this.#keySet.keys();
    const identity = await this.#try(read, known);
    if (identity !== undefined) return identity;
    const newer = await this.#keySet.newerThan(known);
    const identityByNewer = newer && (await this.#try(read, newer));
    if (identityByNewer !== undefined) return identityByNewer;
    const isKeyKnown = keysFor(newer ?? known, alg, kid).length > 0;
    // It may be signed with a new key. That is not for its client to be refused for ever.
    if (this.#keySet.isFailing && (kid === undefined || !isKeyKnown)) {
      throw new ProtocolError('unavailable', 'the key of the token is not known, and the key set cannot be fetched now');
    }
    if (!isKeyKnown && this.#isNewerThanKeys(read.token, cameAtMs, this.#keySet.readFromMs)) {
      throw new ProtocolError('unavailable', 'the key of the token is not known yet, and the key set was fetched a moment ago');
    }
    return undefined;
  }

  /** Whether the token was issued after the key set was read, by its `iat`. Without one it is taken to be old. */
  #isNewerThanKeys(token: string, cameAtMs: number, readFromMs: number): boolean {
    if (readFromMs >= cameAtMs) return false;
    const { clockToleranceMs } = this.#auth;
    const iatMs = issuedAtMsOf(token) ?? 0;
    // `iat` has no fractions: the token was issued within that second.
    return iatMs + 1000 + clockToleranceMs >= readFromMs && iatMs - clockToleranceMs <= cameAtMs;
  }

  /**
   * Tries each matching key: several keys may have the same `kid`, or none.
   *
   * @returns undefined if none of the keys has signed the token
   * @throws ProtocolError if one has, but a claim is wrong; then no other key is tried
   */
  async #try(read: ReadToken, keys: readonly VerificationKey[]): Promise<Identity | undefined> {
    const { token, digest } = read;
    const header = headerOf(read);
    const { alg, kid } = header;
    for (const key of keysFor(keys, alg, kid)) {
      try {
        const options = this.#options(key.alg);
        const claims = claimsBySecret(token, header, key, options) ?? (await jwtVerify(token, key.key, options)).payload;
        const identity = toIdentity(claims, this.#patterns);
        this.#assertLife(identity);
        this.#verified.add(digest, token.length, { identity, keys });
        return identity;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusal(error);
      }
    }
    return undefined;
  }

  /** A revocation is kept for the longest life of a token. One that lives longer would be valid again after it. */
  #assertLife({ issuedAtMs, expiresAtMs = 0 }: Identity): void {
    const { revocations, tokenLifeMaxMs, clockToleranceMs } = this.#auth;
    if (revocations === 'off') return;
    const nowMs = Date.now();
    if (expiresAtMs - Math.min(issuedAtMs ?? nowMs, nowMs) <= tokenLifeMaxMs + clockToleranceMs) return;
    throw new ProtocolError('unauthorized', 'the token lives longer than auth.tokenLifeMaxMs permits');
  }

  #options(algorithm: string) {
    const { issuer, audience, clockToleranceMs } = this.#auth;
    return {
      algorithms: [algorithm],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: clockToleranceMs / 1000,
      ...(issuer !== '' && { issuer }),
      ...(audience !== '' && { audience }),
    };
  }
}

/** For the log: the token's alg and kid, which may contain anything. */
function describeHeader({ alg, kid }: { readonly alg?: string | undefined; readonly kid?: string | undefined }): string {
  return `its alg is ${String(alg).slice(0, 20)}, its kid ${kid === undefined ? 'not set' : JSON.stringify(kid).slice(0, 100)}`;
}

/** @throws ProtocolError `unauthorized` */
function issuedAtMsOf(token: string): number | undefined {
  try {
    const { iat } = decodeJwt(token);
    return typeof iat === 'number' ? Math.floor(iat) * 1000 : undefined;
  } catch (cause) {
    throw new ProtocolError('unauthorized', 'not a JWT', { cause });
  }
}

function headerOf(read: ReadToken): ProtectedHeaderParameters {
  try {
    read.header ??= decodeProtectedHeader(read.token);
    return read.header;
  } catch (cause) {
    throw new ProtocolError('unauthorized', 'not a JWT', { cause });
  }
}

function toIdentity(payload: JWTPayload, patterns: SharedPatterns): Identity {
  if (!user.Check(payload.sub)) throw new ProtocolError('unauthorized', 'the claim `sub` is not a text of 1–256 characters');
  if (CONTROL.test(payload.sub)) throw new ProtocolError('unauthorized', 'the claim `sub` has control characters');
  // Repaired, it would be another user's name.
  if (toWellFormed(payload.sub) !== payload.sub) throw new ProtocolError('unauthorized', 'the claim `sub` is not valid Unicode');
  for (const claim of ['exp', 'iat'] as const) {
    if (Math.abs(payload[claim] ?? 0) > TIME_MAX_SECONDS) throw new ProtocolError('unauthorized', `the claim \`${claim}\` is no time`);
  }
  const claim = payload.stentor ?? {};
  if (!stentorClaim.Check(claim)) throw new ProtocolError('unauthorized', 'the claim `stentor` does not match its schema');
  const { subscribe = [], publish = [], call = [], image, info, connectionsMax } = claim as Static<typeof StentorClaim>;
  if (info !== undefined && Buffer.byteLength(JSON.stringify(info)) > INFO_BYTES_MAX) {
    throw new ProtocolError('unauthorized', `the claim \`stentor.info\` has more than ${INFO_BYTES_MAX} bytes`);
  }
  const expiresAtMs = (payload.exp as number) * 1000;
  const { jti, iat } = payload;
  return {
    user: payload.sub,
    subscribe: patterns.of(subscribe),
    publish: patterns.of(publish),
    call: patterns.of(call),
    info,
    expiresAtMs,
    ...(image !== undefined && { image: patterns.of(image) }),
    ...(connectionsMax !== undefined && { connectionsMax }),
    ...(typeof jti === 'string' && { tokenId: jti }),
    ...(iat !== undefined && { issuedAtMs: iat * 1000 }),
  };
}

/** The error for the peer: enough to act on, nothing about keys. */
function refusal(failure: unknown): ProtocolError {
  if (failure instanceof ProtocolError) return failure;
  if (failure instanceof errors.JWTExpired) return new ProtocolError('token_expired', 'the token has expired', { cause: failure });
  if (failure instanceof errors.JWTClaimValidationFailed) {
    return new ProtocolError('unauthorized', `the token's claim "${failure.claim}" is invalid`, { cause: failure });
  }
  return new ProtocolError('unauthorized', 'the token is invalid', { cause: failure });
}
