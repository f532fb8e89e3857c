import { assertAllowed } from '../../hooks/denied.ts';
import type { Outcome } from '../../hooks/outcome.ts';
import type { Connection } from '../connection.ts';
import { type Expiring, ExpiryIndex } from '../expiry.ts';

/** When the hook has its maximum of unanswered questions, it is asked again after a second, at most this many times. */
const TRIES_MAX = 10;
const RETRY_MS = 1000;

interface ConnectionApproval extends Expiring {
  readonly connection: Connection;
  triesLeft: number;
}

export interface ConnectionApprovalsOptions {
  readonly ask: (connection: Connection) => Promise<Outcome>;
  /** Tells the client why, and closes it. */
  readonly end: (connection: Connection, error: Error) => void;
  readonly nowMs?: () => number;
}

/** Asks the connect hook again when its answer has expired, with a precision of a second. A denial closes the connection. */
export class ConnectionApprovals {
  readonly #options: ConnectionApprovalsOptions;
  readonly #nowMs: () => number;
  readonly #expiry: ExpiryIndex<ConnectionApproval>;
  /** Only connections whose answer expires. */
  readonly #of = new Map<Connection, ConnectionApproval>();

  constructor(options: ConnectionApprovalsOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#expiry = new ExpiryIndex(this.#nowMs());
  }

  get size(): number {
    return this.#of.size;
  }

  /** @param expiresAtMs undefined: the answer does not expire */
  set(connection: Connection, expiresAtMs: number | undefined): void {
    this.closed(connection);
    if (expiresAtMs === undefined || !connection.isOpen) return;
    const approval: ConnectionApproval = { connection, triesLeft: TRIES_MAX, dueSecond: 0 };
    this.#of.set(connection, approval);
    this.#expiry.set(approval, expiresAtMs);
  }

  closed(connection: Connection): void {
    const approval = this.#of.get(connection);
    if (approval === undefined) return;
    this.#of.delete(connection);
    this.#expiry.remove(approval);
  }

  /** Called about once a second. */
  everySecond(): void {
    for (const approval of this.#expiry.takeExpired(this.#nowMs())) void this.#again(approval);
  }

  async #again(approval: ConnectionApproval): Promise<void> {
    const { connection } = approval;
    const outcome = await this.#options.ask(connection);
    // Meanwhile it may have closed, or got a user, about whom the hook was asked.
    if (this.#of.get(connection) !== approval) return;
    if (outcome.kind === 'allowed') return this.set(connection, outcome.expiresAtMs);
    if (outcome.kind === 'busy' && approval.triesLeft-- > 0) return this.#expiry.set(approval, this.#nowMs() + RETRY_MS);
    this.closed(connection);
    try {
      assertAllowed(outcome);
    } catch (error) {
      this.#options.end(connection, error as Error);
    }
  }
}
