import { type JWTPayload, SignJWT } from 'jose';

export const SECRET = 'a-secret-of-thirty-two-characters!';
/** The `auth.keys` of nodes under test. */
export const HS256_KEYS = [{ alg: 'HS256', secret: SECRET }];

export interface Grants {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly call?: readonly string[];
  /** Where whole documents may be published. */
  readonly image?: readonly string[];
}

export interface TokenOptions extends Grants {
  readonly sub?: string;
  readonly connectionsMax?: number;
  readonly expiresInMs?: number;
}

/** A token as {@link HS256_KEYS} accept it: may do everything unless told less. */
export function tokenOf({ sub = 'alice', expiresInMs = 600_000, connectionsMax, ...grants }: TokenOptions = {}): Promise<string> {
  const { subscribe = ['>'], publish = ['>'], call = ['>'], image = ['>'] } = grants;
  return sign({ sub, exp: (Date.now() + expiresInMs) / 1000, stentor: { subscribe, publish, call, image, connectionsMax } });
}

/** A token with just these claims. */
export function sign(claims: JWTPayload, key: Parameters<SignJWT['sign']>[0] = secretKey(), header: { alg?: string; kid?: string } = {}) {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
}

export function secretKey(secret = SECRET): Uint8Array {
  return new TextEncoder().encode(secret);
}
