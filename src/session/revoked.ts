import type { Config } from '../config/schema.ts';
import type { Revocation } from '../link/orders.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Identity } from './identity.ts';

/** The revoked tokens, from the hub. Above `tuning.auth.revocationsMax` the oldest are forgotten. */
export class Revoked {
  readonly #max: number;
  readonly #tokenIds = new Set<string>();
  /** By user: tokens that were issued before this time are revoked. */
  readonly #users = new Map<string, number>();
  /** The revocations are not known yet, and no token is accepted until they are. */
  #waits: boolean;

  constructor({ auth, tuning }: Pick<Config, 'auth' | 'tuning'>) {
    this.#max = tuning.auth.revocationsMax;
    this.#waits = auth.revocations === 'refuse';
  }

  add(revocations: readonly Revocation[]): void {
    for (const one of revocations) {
      if ('tokenId' in one) this.#tokenIds.add(one.tokenId);
      else this.#users.set(one.user, Math.max(one.issuedBeforeMs, this.#users.get(one.user) ?? 0));
    }
    forgetOldest(this.#tokenIds, this.#max);
    forgetOldest(this.#users, this.#max);
  }

  /** Replaces everything by what the hub knows. */
  replace(revocations: readonly Revocation[], complete: boolean): void {
    this.#tokenIds.clear();
    this.#users.clear();
    this.add(revocations);
    if (complete) this.#waits = false;
  }

  /** A token without `iat` counts as issued before any time. */
  covers({ user, tokenId, issuedAtMs = 0 }: Identity): boolean {
    if (tokenId !== undefined && this.#tokenIds.has(tokenId)) return true;
    const issuedBeforeMs = user === null ? undefined : this.#users.get(user);
    return issuedBeforeMs !== undefined && issuedAtMs < issuedBeforeMs;
  }

  /** @throws ProtocolError `token_revoked`, `unavailable` */
  assertNot(identity: Identity): void {
    if (this.#waits) throw new ProtocolError('unavailable', 'this node does not know yet which tokens are revoked');
    if (this.covers(identity)) throw new ProtocolError('token_revoked', 'the token has been revoked');
  }
}

function forgetOldest(known: Set<string> | Map<string, number>, max: number): void {
  for (const key of known.keys()) {
    if (known.size <= max) return;
    known.delete(key);
  }
}
