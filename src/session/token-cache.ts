import { hash } from 'node:crypto';
import type { Identity } from './identity.ts';
import type { VerificationKey } from './verification-key.ts';

export interface TokenCacheBounds {
  /** 0: nothing is kept. */
  readonly verifiedTokensMax: number;
  readonly verifiedTokenBytesMax: number;
}

/** A token whose signature and claims were right. */
export interface VerifiedToken {
  readonly identity: Identity;
  /** The key was one of these. */
  readonly keys: readonly VerificationKey[];
}

interface Entry extends VerifiedToken {
  readonly bytes: number;
}

/** The digest, the entry and its place in the map, beside what the claims take. */
const BYTES_PER_ENTRY = 500;

/**
 * Tokens that were verified, by the hash of the token, so that a client that comes back is recognized without verifying its token again. Above its bounds it
 * forgets what was used longest ago. It says nothing about expiry, revocations, or whether the keys still count: the caller looks.
 */
export class TokenCache {
  readonly #bounds: TokenCacheBounds;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(bounds: TokenCacheBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(token: string): VerifiedToken | undefined {
    if (this.#bounds.verifiedTokensMax === 0) return undefined;
    const digest = digestOf(token);
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    this.#entries.set(digest, entry);
    return entry;
  }

  add(token: string, { identity, keys }: VerifiedToken): void {
    if (this.#bounds.verifiedTokensMax === 0) return;
    const digest = digestOf(token);
    this.#remove(digest);
    // Its claims are three quarters of a token's length, and become objects and texts.
    const entry = { identity, keys, bytes: BYTES_PER_ENTRY + 2 * token.length };
    this.#entries.set(digest, entry);
    this.#bytes += entry.bytes;
    this.#forgetOldest();
  }

  delete(token: string): void {
    this.#remove(digestOf(token));
  }

  #forgetOldest(): void {
    const { verifiedTokensMax, verifiedTokenBytesMax } = this.#bounds;
    for (const digest of this.#entries.keys()) {
      if (this.#entries.size <= verifiedTokensMax && this.#bytes <= verifiedTokenBytesMax) return;
      this.#remove(digest);
    }
  }

  #remove(digest: string): void {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return;
    this.#entries.delete(digest);
    this.#bytes -= entry.bytes;
  }
}

/** The token itself is a secret, and longer. */
function digestOf(token: string): string {
  return hash('sha256', token, 'base64');
}
