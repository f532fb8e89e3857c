import type { Msg } from '@nats-io/transport-node';
import type { ChannelReceiver } from '../bus.ts';
import type { SubscriptionEvents } from './lasting-subscription.ts';

/** Tells the receiver of a channel what is announced on it. */
export class ChannelEvents implements SubscriptionEvents {
  readonly #receiver: ChannelReceiver;

  constructor(receiver: ChannelReceiver) {
    this.#receiver = receiver;
  }

  onMessage({ data }: Msg): void {
    this.#receiver.hear(data);
  }
}
