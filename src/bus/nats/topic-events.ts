import type { Msg } from '@nats-io/transport-node';
import type { TopicReceiver } from '../bus.ts';
import type { SubscriptionEvents } from './lasting-subscription.ts';
import type { PublicationReader } from './publication-reader.ts';

/** Tells the receiver of an ephemeral topic what comes on its subject. */
export class TopicEvents implements SubscriptionEvents {
  readonly #receiver: TopicReceiver;
  readonly #reader: PublicationReader | undefined;
  readonly #nowMs: () => number;

  /** @param reader its namespace's; undefined: that is not ephemeral, and nothing comes */
  constructor(receiver: TopicReceiver, reader: PublicationReader | undefined, nowMs: () => number) {
    this.#receiver = receiver;
    this.#reader = reader;
    this.#nowMs = nowMs;
  }

  onMessage(message: Msg): void {
    const publication = this.#reader?.fromCore(message, this.#nowMs());
    if (publication !== undefined) this.#receiver.onPublication(publication);
  }

  onDenied(denied: boolean): void {
    this.#receiver.onDenied?.(denied);
  }
}
