import type { Item, ServerMessage } from '../../src/protocol/messages.ts';
import { mergePatch } from './document-fixtures.ts';
import { PartJoiner } from './part-joiner.ts';

/** Folds a document as PROTOCOL.md tells a client to. It does not use the project's own folding. */
export class DocumentFollower {
  readonly topic: string;
  document: unknown;
  epoch = '';
  offset = -1;
  /** How often the document was looked at: after every message with items. */
  checks = 0;
  wrong = 0;
  /** Batches that begin after what it has. */
  gaps = 0;
  patches = 0;
  /** Patches with deletions to apply before. */
  pairs = 0;
  wholes = 0;
  conflated = 0;
  readonly #isRight: (document: unknown) => boolean;
  readonly #merge: (target: unknown, patch: unknown) => unknown;
  readonly #joiner = new PartJoiner();
  #seen = 0;

  /** @param merge applies a merge patch */
  constructor(topic: string, isRight: (document: unknown) => boolean = () => true, merge = mergePatch) {
    this.topic = topic;
    this.#isRight = isRight;
    this.#merge = merge;
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
        if (!message.recovered) this.#forget();
        return this.#begin(message);
      case 'resync':
        this.#forget();
        return this.#begin(message);
      case 'part': {
        const whole = this.#joiner.add(message);
        return whole && this.#receive(whole);
      }
      case 'batch':
        if (message.epoch !== this.epoch || message.prev > this.offset) this.gaps++;
        this.conflated += message.conflated ?? 0;
        return this.#apply(message.items.filter(([offset]) => offset > this.offset));
    }
  }

  /** Its position is void, too: offsets of another epoch cannot be compared. */
  #forget(): void {
    this.document = undefined;
    this.offset = -1;
  }

  #begin({ epoch, offset, items }: { readonly epoch: string; readonly offset: number; readonly items: readonly Item[] }): void {
    this.epoch = epoch;
    this.#apply(items);
    this.offset = Math.max(this.offset, offset);
  }

  #apply(items: readonly Item[]): void {
    for (const item of items) {
      this.offset = item[0];
      if (item.length === 1) continue;
      const [, , data, meta] = item;
      if (meta?.patch) {
        this.patches++;
        if (meta.first !== undefined) this.pairs++;
        this.document = this.#merge(meta.first === undefined ? this.document : this.#merge(this.document, meta.first), data);
      } else {
        this.wholes++;
        this.document = meta?.removed ? undefined : data;
      }
    }
    if (items.length === 0) return;
    this.checks++;
    if (this.document !== undefined && !this.#isRight(this.document)) this.wrong++;
  }
}
