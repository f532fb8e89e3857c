import type { Item, ServerMessage } from '../../src/protocol/messages.ts';
import { mergePatch } from './document-fixtures.ts';

/** Keeps the value of every key, as PROTOCOL.md tells a client with `delta: true` to. It does not use the project's own folding. */
export class DeltaFolder {
  readonly values = new Map<string | null, unknown>();
  patches = 0;
  /** Patches with deletions to apply before. */
  pairs = 0;
  wholes = 0;
  readonly #isOfDocument: boolean;

  /** @param isOfDocument a patch of nothing begins a document */
  constructor(isOfDocument = false) {
    this.#isOfDocument = isOfDocument;
  }

  /** The same message with whole values. @param last the client's position: what it has already is left as it is */
  whole(message: ServerMessage, last: number): ServerMessage {
    if (message.type !== 'subscribed' && message.type !== 'resync' && message.type !== 'batch') return message;
    const begins = message.type === 'resync' || (message.type === 'subscribed' && !message.recovered);
    if (begins) this.values.clear();
    const from = begins ? 0 : last;
    const items = message.items.map((item) => (item.length === 1 || item[0] <= from ? item : this.#apply(item)));
    return { ...message, items };
  }

  #apply([offset, key, data, meta]: Exclude<Item, { length: 1 }>): Item {
    if (meta?.patch !== true) {
      this.wholes++;
      if (meta?.removed) this.values.delete(key);
      else this.values.set(key, data);
      return meta === undefined ? [offset, key, data] : [offset, key, data, meta];
    }
    this.patches++;
    if (!this.values.has(key) && !this.#isOfDocument) throw new Error(`a change of ${key}, which this client does not have`);
    const { patch: _, first, ...rest } = meta;
    if (first !== undefined) this.pairs++;
    const before = this.values.get(key);
    const value = mergePatch(first === undefined ? before : mergePatch(before, first), data);
    this.values.set(key, value);
    return [offset, key, value, rest];
  }
}
