import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { badValue } from './errors.ts';

export type Algorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA';

export interface TokenRequest {
  /** For HS256 the secret's text, otherwise a private key. */
  readonly key: string | KeyObject;
  readonly alg: Algorithm;
  /** The user. */
  readonly sub: string;
  readonly expiresInMs: number;
  /** NATS-style patterns: `scores.>`, `chat.*`. */
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly call: readonly string[];
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly kid?: string | undefined;
}

const PATTERN_TOKEN = /^(\*|[A-Za-z0-9_-]{1,64})$/;

/** Creates a JWT as nodes expect it: `sub`, `exp`, and the claim `stentor` with the permissions. @param nowMs the clock */
export function makeToken(request: TokenRequest, nowMs: number): Promise<string> {
  const { key, alg, sub, expiresInMs, subscribe, publish, call, issuer, audience, kid } = request;
  const jwt = new SignJWT({ stentor: { subscribe: [...subscribe], publish: [...publish], call: [...call] } })
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .setSubject(sub)
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(Math.floor((nowMs + expiresInMs) / 1000));
  if (issuer) jwt.setIssuer(issuer);
  if (audience) jwt.setAudience(audience);
  return jwt.sign(typeof key === 'string' ? new TextEncoder().encode(key) : key);
}

/** @throws CliError `usage` for a pattern that cannot match any topic */
export function assertPattern(pattern: string): string {
  const tokens = pattern.split('.');
  const last = tokens.at(-1);
  const plain = last === '>' ? tokens.slice(0, -1) : tokens;
  if (plain.every((token) => PATTERN_TOKEN.test(token))) return pattern;
  throw badValue('pattern', pattern, 'expected tokens of [A-Za-z0-9_-] or *, joined by dots, with > only as the last');
}
