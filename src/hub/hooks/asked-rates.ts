import type { Config } from '../../config/schema.ts';
import { isAskedAgain } from '../../hooks/hook.ts';
import type { Outcome } from '../../hooks/outcome.ts';
import type { HookQuestion } from '../../hooks/types.ts';
import { RateLimits } from '../../telemetry/rate-limit.ts';

/** Bounds how often commands of a user, or of a connection without one, make this node ask hooks, so that one user does not keep a service busy. */
export class AskedRates {
  readonly #perSecond: number;
  readonly #rates: RateLimits;

  constructor({ askedPerUserPerSecondMax, askedUsersMax }: Config['tuning']['hooks']) {
    this.#perSecond = askedPerUserPerSecondMax;
    this.#rates = new RateLimits(askedPerUserPerSecondMax, askedUsersMax);
  }

  /** Users and connections whose rates are known. */
  get size(): number {
    return this.#rates.size;
  }

  /** Counts a question of a command. How often clients connect has limits of its own, and the node asks again by itself. */
  refuse(question: HookQuestion, nowMs: number): Extract<Outcome, { kind: 'busy' }> | undefined {
    const { hook, user, connectionId } = question;
    if (this.#perSecond === 0 || hook === 'connect' || hook === 'disconnect' || isAskedAgain(question)) return undefined;
    this.#rates.forgetFull(nowMs);
    const retryAfterMs = this.#rates.take(user === null ? `connection ${connectionId}` : `user ${user}`, nowMs);
    if (retryAfterMs === 0) return undefined;
    return { kind: 'busy', message: `${this.#perSecond} questions a second to hooks about one user`, retryAfterMs };
  }
}
