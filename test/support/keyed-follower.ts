import type { Item, ServerMessage } from '../../src/protocol/messages.ts';
import { mergePatch } from './document-fixtures.ts';
import { PartJoiner } from './part-joiner.ts';

/** Folds the documents of the keys of a topic as PROTOCOL.md tells a client to. It does not use the project's own folding. */
export class KeyedFollower {
  readonly topic: string;
  readonly documents = new Map<string, unknown>();
  epoch = '';
  offset = -1;
  /** How often a document was looked at: after every item. */
  checks = 0;
  wrong = 0;
  /** Batches that begin after what it has. */
  gaps = 0;
  patches = 0;
  pairs = 0;
  wholes = 0;
  conflated = 0;
  /** Batches after which its position stayed. */
  continued = 0;
  readonly #isRight: (document: unknown) => boolean;
  readonly #joiner = new PartJoiner();
  /** By key: the offset of its last item, while that is ahead of the position. */
  readonly #ahead = new Map<string, number>();
  #seen = 0;

  constructor(topic: string, isRight: (document: unknown) => boolean = () => true) {
    this.topic = topic;
    this.#isRight = isRight;
  }

  /** As an object, for comparisons. */
  get all(): Record<string, unknown> {
    return Object.fromEntries(this.documents);
  }

  /** Batches that came in parts. */
  get joined(): number {
    return this.#joiner.joined;
  }

  /** Takes what has come to the client since the last call. */
  take(client: { readonly messages: readonly unknown[] }): this {
    for (; this.#seen < client.messages.length; this.#seen++) this.#receive(client.messages[this.#seen] as ServerMessage);
    return this;
  }

  /** Takes a message that nobody keeps. */
  takeOne(message: ServerMessage): void {
    this.#receive(message);
  }

  /** For another connection, which goes on where the last one ended. */
  reconnected(): void {
    this.#seen = 0;
  }

  #receive(message: ServerMessage): void {
    if (!('topic' in message) || message.topic !== this.topic) return;
    switch (message.type) {
      case 'subscribed':
      case 'resync':
        if (message.type === 'resync' || !message.recovered) this.#forget();
        this.epoch = message.epoch;
        this.#apply(message.items);
        return this.#moveTo(message.offset);
      case 'part': {
        const whole = this.#joiner.add(message);
        return whole && this.#receive(whole);
      }
      case 'batch':
        if (message.epoch !== this.epoch || message.prev > this.offset) this.gaps++;
        this.conflated += message.conflated ?? 0;
        this.#apply(message.items.filter(([offset]) => offset > this.offset));
        if (message.continues) this.continued++;
        else this.#moveTo(message.items.at(-1)?.[0] ?? 0);
    }
  }

  #forget(): void {
    this.documents.clear();
    this.#ahead.clear();
    this.offset = -1;
  }

  #moveTo(offset: number): void {
    this.offset = Math.max(this.offset, offset);
    for (const [key, ahead] of this.#ahead) if (ahead <= this.offset) this.#ahead.delete(key);
  }

  #apply(items: readonly Item[]): void {
    for (const item of items) {
      if (item.length === 1) continue;
      const [offset, key, data, meta] = item;
      const name = key as string;
      if (offset <= (this.#ahead.get(name) ?? 0)) continue;
      this.#ahead.set(name, offset);
      if (meta?.removed) this.documents.delete(name);
      else if (meta?.patch) {
        this.patches++;
        if (meta.first !== undefined) this.pairs++;
        const before = this.documents.get(name);
        this.documents.set(name, mergePatch(meta.first === undefined ? before : mergePatch(before, meta.first), data));
      } else {
        this.wholes++;
        this.documents.set(name, data);
      }
      this.checks++;
      if (this.documents.has(name) && !this.#isRight(this.documents.get(name))) this.wrong++;
    }
  }
}
