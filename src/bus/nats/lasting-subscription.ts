import { setTimeout as sleep } from 'node:timers/promises';
import { deferred, type Msg, type Subscription, type SubscriptionImpl } from '@nats-io/transport-node';
import { deliver, throwLater } from '../deliver.ts';
import type { Connection } from './connection.ts';
import { flush } from './flush.ts';
import type { TroubleLog } from './trouble-log.ts';

/** The first pause before a denied subscription is retried; it doubles up to the last. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 5000;

/** Requests that belong to no subscription; their answers are ignored. */
const UNUSED_SIGNAL: SubscriptionImpl['signal'] = deferred();
const UNUSED_END: SubscriptionImpl['closed'] = deferred();

export interface SubscriptionEvents {
  onMessage(message: Msg): void;
  /** The server denies it, or permits it again. Not called for the result of {@link LastingSubscription.live}. */
  onDenied?(denied: boolean): void;
}

/**
 * A plain subscription that is retried when the server denies it. The client forgets a denied one permanently, but permissions may change while the node runs.
 * There is one for each ephemeral topic, so it consists of few objects.
 */
export class LastingSubscription {
  /**
   * Resolves with true when nothing is missed from now on; or soon, if the server does not answer. Resolves with false if it is denied; then this retries.
   * Never rejects.
   */
  readonly live: Promise<boolean>;
  readonly #connection: Connection;
  readonly #subject: string;
  readonly #events: SubscriptionEvents;
  readonly #troubles: Pick<TroubleLog, 'permitted'>;
  #subscription: Subscription;
  /** Ends the retries; it exists only while it is denied. One for each of very many subscriptions would take half a kilobyte each. */
  #asking: AbortController | undefined;
  #stopped = false;
  /** {@link live} has resolved. */
  #settled = false;

  /** @param troubles told when it is permitted again */
  constructor(connection: Connection, subject: string, events: SubscriptionEvents, troubles: Pick<TroubleLog, 'permitted'>) {
    this.#connection = connection;
    this.#subject = subject;
    this.#events = events;
    this.#troubles = troubles;
    this.#subscription = this.#subscribe();
    // Once the server answers what was sent after the subscription, it has accepted or denied the subscription.
    this.live = flush(connection).then(() => {
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
    const subscription = this.#connection.nc.subscribe(this.#subject, {
      callback: (error, message) => {
        if (error === null) this.#receive(message);
        else if (this.#asking === undefined && !this.#stopped) this.#wasDenied();
      },
    });
    shareUnusedPromises(subscription as SubscriptionImpl);
    return subscription;
  }

  #receive(message: Msg): void {
    try {
      this.#events.onMessage(message);
    } catch (error) {
      throwLater(error);
    }
  }

  #wasDenied(): void {
    this.#asking = new AbortController();
    if (this.#settled) this.#tell(true);
    void this.#askAgain(this.#asking.signal);
  }

  #tell(denied: boolean): void {
    deliver((now) => {
      if (!now) this.#troubles.permitted(this.#subject);
      this.#events.onDenied?.(now);
    }, denied);
  }

  async #askAgain(signal: AbortSignal): Promise<void> {
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)) {
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || !(await this.#connection.whenConnected()) || signal.aborted) return;
      this.#subscription = this.#subscribe();
      await flush(this.#connection);
      if (signal.aborted) return this.#subscription.unsubscribe();
      if (this.#subscription.isClosed() || !this.#connection.connected) continue;
      this.#asking = undefined;
      return this.#tell(false);
    }
  }
}

/**
 * The client gives each subscription three promises with their settle functions: 768 of its 1,180 bytes. They are for iterating and for waiting for its end,
 * which is not used here, and there is a subscription for each of very many topics.
 */
function shareUnusedPromises(subscription: SubscriptionImpl): void {
  subscription.signal = UNUSED_SIGNAL;
  subscription.iterClosed = UNUSED_END;
  subscription.closed = UNUSED_END;
}
