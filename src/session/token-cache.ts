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

  /** What it knows the token by: the token itself is a secret, and longer. */
  digestOf(token: string): string {
    return this.#bounds.verifiedTokensMax === 0 ? '' : hash('sha256', token, 'base64');
  }

  get(digest: string): VerifiedToken | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    this.#entries.set(digest, entry);
    return entry;
  }

  add(digest: string, tokenLength: number, { identity, keys }: VerifiedToken): void {
    if (this.#bounds.verifiedTokensMax === 0) return;
    this.#remove(digest);
    // Its claims are three quarters of a token's length, and become objects and texts.
    const entry = { identity, keys, bytes: BYTES_PER_ENTRY + 2 * tokenLength };
    this.#entries.set(digest, entry);
    this.#bytes += entry.bytes;
    this.#forgetOldest();
  }

  delete(digest: string): void {
    this.#remove(digest);
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
