import type { ChannelReceiver } from '../bus.ts';
import type { Channel } from '../channel.ts';
import { deliver } from '../deliver.ts';

/** Who hears what is announced on which channel. There is a channel for each of very many users, nearly all with one receiver: a small array, and one object that stops it. */
export class Channels {
  readonly #listeners = new Map<Channel, readonly ChannelListener[]>();

  announce(channel: Channel, data: Uint8Array): void {
    for (const { receiver } of this.#listeners.get(channel) ?? []) deliver((heard) => receiver.hear(heard), data);
  }

  listen(channel: Channel, receiver: ChannelReceiver): ChannelListener {
    const listener = new ChannelListener(this, channel, receiver);
    this.#listeners.set(channel, (this.#listeners.get(channel) ?? []).concat(listener));
    return listener;
  }

  remove(listener: ChannelListener): void {
    const { channel } = listener;
    const others = (this.#listeners.get(channel) ?? []).filter((one) => one !== listener);
    if (others.length === 0) this.#listeners.delete(channel);
    else this.#listeners.set(channel, others);
  }
}

export class ChannelListener {
  readonly channel: Channel;
  readonly receiver: ChannelReceiver;
  readonly #channels: Channels;

  constructor(channels: Channels, channel: Channel, receiver: ChannelReceiver) {
    this.#channels = channels;
    this.channel = channel;
    this.receiver = receiver;
  }

  stop(): void {
    this.#channels.remove(this);
  }
}
