import { setTimeout as sleep } from 'node:timers/promises';
import type { Msg, Subscription } from '@nats-io/transport-node';
import { deliver } from '../deliver.ts';
import type { Connection } from './connection.ts';
import { flush } from './flush.ts';

/** The first pause before a denied subscription is asked for again; doubles up to the last. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 5000;

export interface LastingSubscriptionOptions {
  readonly connection: Connection;
  readonly subject: string;
  readonly onMessage: (message: Msg) => void;
  /** The server denies it, or permits it again. Not called for what {@link LastingSubscription.live} says. */
  readonly onDenied: (denied: boolean) => void;
}

/**
 * A plain subscription that is asked for again when the server denies it: the client forgets a denied one for good, and permissions may be given while
 * the node runs, or taken.
 */
export class LastingSubscription {
  /**
   * Resolves with true when nothing is missed from now on; or, where the server does not answer, soon. With false when it denies it; then this asks on.
   * Never rejects.
   */
  readonly live: Promise<boolean>;
  readonly #options: LastingSubscriptionOptions;
  #subscription: Subscription;
  /** Ends the asking; there is one while it is denied. One for each of very many subscriptions would take half a kilobyte each. */
  #asking: AbortController | undefined;
  #stopped = false;
  /** What `live` says has been said. */
  #settled = false;

  constructor(options: LastingSubscriptionOptions) {
    this.#options = options;
    this.#subscription = this.#subscribe();
    // The server has taken, or denied, the subscription once it answers what was sent behind it.
    this.live = flush(options.connection).then(() => {
      this.#settled = true;
      return this.#asking === undefined;
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#asking?.abort();
    this.#subscription.unsubscribe();
  }

  #subscribe(): Subscription {
    const { connection, subject, onMessage } = this.#options;
    return connection.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) deliver(onMessage, message);
        else if (this.#asking === undefined && !this.#stopped) this.#wasDenied();
      },
    });
  }

  #wasDenied(): void {
    this.#asking = new AbortController();
    if (this.#settled) deliver(this.#options.onDenied, true);
    void this.#askAgain(this.#asking.signal);
  }

  async #askAgain(signal: AbortSignal): Promise<void> {
    const { connection, onDenied } = this.#options;
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)) {
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || !(await connection.whenConnected()) || signal.aborted) return;
      this.#subscription = this.#subscribe();
      await flush(connection);
      if (signal.aborted) return this.#subscription.unsubscribe();
      if (this.#subscription.isClosed() || !connection.connected) continue;
      this.#asking = undefined;
      return deliver(onDenied, false);
    }
  }
}
