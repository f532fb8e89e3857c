import { assertAllowed, HookDenied } from '../../hooks/denied.ts';
import type { Outcome } from '../../hooks/outcome.ts';
import type { AskedOptions } from '../../hooks/types.ts';
import { ERROR_KINDS, ProtocolError } from '../../protocol/errors.ts';
import { addressOf, type FeedName } from '../../protocol/feed-name.ts';
import type { ApprovalOf } from '../approval.ts';
import type { Connection } from '../connection.ts';
import { ExpiryIndex } from '../expiry.ts';

export type Approval = ApprovalOf<Connection>;

/** When a hook has its maximum of unanswered questions, it is asked again after a second, at most this many times. */
const TRIES_MAX = 10;
const RETRY_MS = 1000;
/** A connection may keep about this many approvals of ended subscriptions before they are removed. */
const ENDED_MAX = 16;

export interface ApprovalsOptions {
  readonly ask: (approval: Approval) => Promise<Outcome>;
  /** Ends the subscription. @returns false: there is none */
  readonly end: (connection: Connection, topic: FeedName) => boolean;
  readonly nowMs?: () => number;
}

/** Asks again about a subscription when the hook's answer has expired, with a precision of a second. A denial ends the subscription. */
export class Approvals {
  readonly #options: ApprovalsOptions;
  readonly #expiry: ExpiryIndex<Approval>;
  readonly #nowMs: () => number;

  constructor(options: ApprovalsOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#expiry = new ExpiryIndex(this.#nowMs());
  }

  get size(): number {
    return this.#expiry.size;
  }

  /** @param expiresAtMs undefined: the approval does not expire */
  set(connection: Connection, topic: FeedName, options: AskedOptions, expiresAtMs: number | undefined): void {
    const known = connection.approvals?.get(topic);
    if (known !== undefined) this.#forget(known);
    if (expiresAtMs === undefined) return;
    const approval: Approval = { connection, topic, options, triesLeft: TRIES_MAX, dueSecond: 0 };
    connection.approvals ??= new Map();
    connection.approvals.set(topic, approval);
    this.#expiry.set(approval, expiresAtMs);
    this.#forgetEnded(connection);
  }

  /** The connection has closed. */
  closed({ approvals }: Connection): void {
    for (const approval of approvals?.values() ?? []) this.#forget(approval);
  }

  /** Called about once a second. */
  everySecond(): void {
    for (const approval of this.#expiry.takeExpired(this.#nowMs())) void this.#again(approval);
  }

  async #again(approval: Approval): Promise<void> {
    const { connection, topic, options } = approval;
    if (!this.#stands(approval)) return this.#forget(approval);
    const outcome = await this.#options.ask(approval);
    // Meanwhile the subscription may have ended, or another `subscribe` may have been allowed.
    if (!this.#stands(approval)) return;
    if (outcome.kind === 'allowed') return this.set(connection, topic, options, outcome.expiresAtMs);
    if (outcome.kind === 'busy' && approval.triesLeft-- > 0) return this.#expiry.set(approval, this.#nowMs() + RETRY_MS);
    this.#forget(approval);
    if (this.#options.end(connection, topic)) tellEnded(connection, topic, outcome);
  }

  #stands(approval: Approval): boolean {
    const { isOpen, approvals, receiver } = approval.connection;
    return isOpen && approvals?.get(approval.topic) === approval && receiver.subscriptions.has(approval.topic);
  }

  #forget(approval: Approval): void {
    const { approvals } = approval.connection;
    this.#expiry.remove(approval);
    if (approvals?.get(approval.topic) === approval) approvals.delete(approval.topic);
  }

  /** Bounds the approvals of ended subscriptions: a client may subscribe and unsubscribe any number of times. */
  #forgetEnded({ approvals, receiver }: Connection): void {
    if (approvals === undefined || approvals.size <= 2 * receiver.subscriptions.size + ENDED_MAX) return;
    for (const approval of [...approvals.values()]) if (!receiver.subscriptions.has(approval.topic)) this.#forget(approval);
  }
}

function tellEnded(connection: Connection, topic: FeedName, outcome: Outcome): void {
  try {
    assertAllowed(outcome);
  } catch (error) {
    const { code, message } = error as HookDenied | ProtocolError;
    const retryable = error instanceof ProtocolError && ERROR_KINDS[error.code].retryable;
    connection.send({
      type: 'error',
      code,
      message: `${message}; the subscription has ended`,
      retryable,
      ...addressOf(topic),
      ...(error instanceof HookDenied && { service: true as const }),
    });
  }
}
