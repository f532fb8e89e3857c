import type { Item, ServerMessage } from '../../src/protocol/messages.ts';

/** An item with something in it. */
export interface TrackedItem {
  readonly offset: number;
  readonly key: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: tests know what they published
  readonly data: any;
  readonly meta: Exclude<Item[3], undefined> | undefined;
}

/** What one client has of one durable topic, by PROTOCOL.md's rules for clients; counts what must not happen. */
export class TopicTracker {
  readonly topic: string;
  readonly items: TrackedItem[] = [];
  /** Latest item per key. */
  // biome-ignore lint/suspicious/noExplicitAny: tests know what they published
  readonly state = new Map<string | null, any>();
  /** The client's position. */
  last = 0;
  epoch = '';
  /** Batches that began after the position: something before them never came. */
  gaps = 0;
  /** Items that came again. */
  duplicates = 0;
  /** Places that were covered with nothing to deliver. */
  covered = 0;
  conflated = 0;
  /** Publications that the server said were left out. */
  skipped = 0;
  lagged: ServerMessage<'lagged'>[] = [];
  resyncs: ServerMessage<'resync'>[] = [];

  constructor(topic: string) {
    this.topic = topic;
  }

  receive(message: ServerMessage): void {
    if (!('topic' in message) || message.topic !== this.topic) return;
    switch (message.type) {
      case 'subscribed':
        return this.#subscribed(message);
      case 'batch':
        return this.#batch(message);
      case 'resync':
        this.resyncs.push(message);
        return this.#startFrom(message);
      case 'lagged':
        this.lagged.push(message);
        this.skipped += message.skipped;
        if (message.offset !== undefined) this.last = message.offset;
        return;
      default:
        return;
    }
  }

  #subscribed(message: ServerMessage<'subscribed'>): void {
    if (!message.recovered) return this.#startFrom(message);
    this.epoch = message.epoch;
    const { last } = this;
    for (const item of message.items) this.#take(item);
    // Not that of its last item: more of the same range may follow.
    this.last = Math.max(last, message.offset);
  }

  #startFrom({ epoch, offset, items }: ServerMessage<'subscribed' | 'resync'>): void {
    this.epoch = epoch;
    this.last = 0;
    this.state.clear();
    for (const item of items) this.#take(item);
    this.last = offset;
  }

  #batch(message: ServerMessage<'batch'>): void {
    if (message.epoch !== this.epoch) throw new Error(`a batch of epoch ${message.epoch} in ${this.epoch}`);
    if (message.prev > this.last) this.gaps++;
    this.conflated += message.conflated ?? 0;
    const { last } = this;
    for (const item of message.items) this.#take(item);
    if (message.continues) this.last = last;
  }

  #take([offset, key, data, meta]: Item): void {
    if (offset <= this.last) {
      this.duplicates++;
      return;
    }
    this.last = offset;
    if (key === undefined) {
      this.covered++;
      return;
    }
    this.items.push({ offset, key, data, meta });
    if (meta?.removed) this.state.delete(key);
    else this.state.set(key, data);
  }
}
