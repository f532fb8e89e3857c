import type { Msg } from '@nats-io/transport-node';
import type { TopicReceiver } from '../bus.ts';
import type { SubscriptionEvents } from './lasting-subscription.ts';
import type { PublicationReader } from './publication-reader.ts';

/** Passes messages of a subject to the receiver of an ephemeral topic. */
export class TopicEvents implements SubscriptionEvents {
  readonly #receiver: TopicReceiver;
  readonly #reader: PublicationReader | undefined;
  readonly #nowMs: () => number;

  /** @param reader of its namespace; undefined: the namespace is not ephemeral, and nothing is delivered */
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
