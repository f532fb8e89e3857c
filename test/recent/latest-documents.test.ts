import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DocumentChange } from '../../src/document/fold.ts';
import { applyPair } from '../../src/document/merge-patch.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { RecentBudget } from '../../src/recent/budget.ts';
import type { ItemForm } from '../../src/recent/item-form.ts';
import { LatestDocuments } from '../../src/recent/latest-documents.ts';
import type { Position } from '../../src/recent/position.ts';
import { Ring } from '../../src/recent/ring.ts';
import { documents, mapPatches, textOf } from '../support/document-fixtures.ts';
import { type Limits, WIDE } from '../support/recent-fixtures.ts';

interface KeyedItem {
  readonly offset: number;
  readonly key: string;
  readonly change: DocumentChange;
  readonly removed?: boolean;
}

const sizeOf = ({ change }: KeyedItem) => packMsgpack(change).length;
const FORM: ItemForm<KeyedItem> = {
  bytesOf: sizeOf,
  wireBytesOf: sizeOf,
  slotOf: ({ key }) => key,
  documents: {
    isPatch: ({ change }) => change.kind === 'pair',
    changeOf: ({ change }) => change,
    wholeItem: ({ offset, key }, document) => ({ offset, key, change: { kind: 'document', document }, removed: document === undefined }),
    pairItem: ({ offset, key }, pair) => ({ offset, key, change: { kind: 'pair', ...pair } }),
  },
};

type Documents = ReadonlyMap<string, unknown>;

function apply(all: Documents, { key, change }: KeyedItem): Documents {
  const after = new Map(all);
  const document = change.kind === 'document' ? change.document : applyPair(all.get(key), change);
  if (document === undefined) after.delete(key);
  else after.set(key, document);
  return after;
}

const NOTHING: Documents = new Map();
const textOfAll = (all: Documents) => textOf(Object.fromEntries(all));

/** A topic with the documents of all keys at every offset. */
class Topic {
  readonly ring: Ring<KeyedItem>;
  readonly latest: LatestDocuments<KeyedItem>;
  readonly states = new Map<number, Documents>();
  offset: number;

  constructor(initial: Documents, offset: number, { removedMax = 1000, ...limits }: Limits & { removedMax?: number } = {}) {
    this.ring = new Ring(new RecentBudget(FORM, { ...WIDE, ...limits }), offset);
    this.latest = new LatestDocuments(FORM, this.ring, removedMax, 0);
    let at = offset - initial.size;
    for (const [key, document] of initial) this.latest.set({ offset: ++at, key, change: { kind: 'document', document } }, -1);
    this.states.set(offset, initial);
    this.offset = offset;
  }

  get now(): Documents {
    return this.states.get(this.offset) as Documents;
  }

  /** Of the initial documents each has an offset of its own. */
  at(offset: number): Documents {
    return (this.states.get(offset) ?? this.states.values().next().value) as Documents;
  }

  publish(key: string, change: DocumentChange): void {
    const before = this.now;
    this.offset += 2;
    const removed = change.kind === 'document' && change.document === undefined;
    const item = { offset: this.offset, key, change, removed };
    this.latest.set(item, this.ring.next);
    this.ring.push(item);
    this.states.set(this.offset, apply(before, item));
  }
}

/** What a client has, and how far it is in what it is given. */
class Client {
  readonly topic: Topic;
  documents: Documents;
  position: Position;
  readonly fresh: boolean;
  readonly until: number;

  constructor(topic: Topic, position: Position) {
    this.topic = topic;
    this.fresh = position.offset === 0;
    this.documents = topic.states.get(position.offset) ?? NOTHING;
    this.position = position;
    this.until = topic.ring.next;
  }

  get isDone(): boolean {
    return this.position.sequence >= this.topic.ring.next;
  }

  /** One part. Each item is a step of its own, after which the document of its key is one that was published. */
  take(bytesMax: number): void {
    const { items, position } = this.topic.latest.next(this.position, { bytesMax, until: this.until, withoutRemoved: this.fresh });
    expect(items.every(({ offset }, at) => offset > (items[at - 1]?.offset ?? this.position.offset))).toBe(true);
    for (const item of items) {
      this.documents = apply(this.documents, item);
      expect(textOf(this.documents.get(item.key))).toBe(textOf(this.topic.at(item.offset).get(item.key)));
    }
    this.position = position;
  }
}

const keys = fc.constantFrom('BTC', 'ETH', 'a', '__proto__');
const changes: fc.Arbitrary<DocumentChange> = fc.oneof(
  { weight: 20, arbitrary: mapPatches.map((patch): DocumentChange => ({ kind: 'pair', patch })) },
  { weight: 1, arbitrary: documents.map((document): DocumentChange => ({ kind: 'document', document })) },
);
const publications = fc.array(fc.tuple(keys, changes), { maxLength: 25 });
const initials = fc.uniqueArray(
  fc.tuple(
    keys,
    documents.filter((document) => document !== undefined),
  ),
  { selector: ([key]) => key },
);
const bytesMax = fc.constantFrom(1, 60, 300, 100_000);
/** Each client is given some parts; meanwhile more is published; in between it may lose its connection, and go on from its own position. */
const clients = fc.array(
  fc.record({
    before: publications,
    back: fc.option(fc.nat(60), { nil: undefined }),
    parts: fc.array(fc.record({ bytesMax, meanwhile: publications, isCut: fc.boolean() }), { maxLength: 6 }),
  }),
  { maxLength: 6 },
);

function publishAll(topic: Topic, some: readonly (readonly [string, DocumentChange])[]): void {
  for (const [key, change] of some) topic.publish(key, change);
}

describe('the documents of the keys of a topic, for its clients', () => {
  const limits = fc.constantFrom<Limits>({}, { itemsPerTopicMax: 3 }, { itemsPerTopicMax: 40 });

  it('are theirs too, wherever they come from, in parts of any size, while more is published, and after any cut', () => {
    fc.assert(
      fc.property(initials, limits, clients, (initial, limit, all) => {
        const topic = new Topic(new Map(initial), 100, limit);
        for (const { before, back, parts } of all) {
          publishAll(topic, before);
          const offsets = [...topic.states.keys()];
          const offset = back === undefined ? 0 : (offsets.at(-1 - back) ?? 100);
          const client = new Client(topic, { sequence: -1, offset });
          for (const { bytesMax: bytes, meanwhile, isCut } of parts) {
            if (!client.isDone) client.take(bytes);
            // Its own position is that of everything that it certainly has.
            if (isCut) client.position = { sequence: -1, offset: client.position.offset };
            publishAll(topic, meanwhile);
          }
          for (let steps = 0; !client.isDone; steps++) {
            expect(steps).toBeLessThan(1000);
            client.take(300);
          }
          expect(textOfAll(client.documents)).toBe(textOfAll(topic.now));
        }
      }),
    );
  });

  it('are, for a rate class, at most two items a key for any range', () => {
    fc.assert(
      fc.property(initials, fc.array(publications, { maxLength: 8 }), (initial, all) => {
        const topic = new Topic(new Map(initial), 100, { itemsPerTopicMax: 60 });
        let had = topic.now;
        let cursor = topic.ring.next;
        for (const some of all) {
          publishAll(topic, some);
          const items = topic.latest.between(cursor, topic.ring.next);
          expect(items.length).toBeLessThanOrEqual(2 * new Set(some.map(([key]) => key)).size);
          for (const item of items) had = apply(had, item);
          cursor = topic.ring.next;
          expect(textOfAll(had)).toBe(textOfAll(topic.now));
        }
      }),
    );
  });

  it('say from where on they have every change, when they have forgotten removed keys', () => {
    const topic = new Topic(NOTHING, 100, { removedMax: 2 });
    for (const key of ['a', 'b', 'c']) topic.publish(key, { kind: 'document', document: { key } });
    for (const key of ['a', 'b', 'c']) topic.publish(key, { kind: 'document', document: undefined });
    topic.publish('d', { kind: 'pair', patch: { d: 1 } });
    expect(topic.latest.completeFrom).toBe(108);
    expect(topic.latest.after(106)).toBeUndefined();
    expect(topic.latest.after(108)?.map(({ key, removed }) => [key, removed])).toEqual([
      ['b', true],
      ['c', true],
      ['d', false],
    ]);
    expect(topic.latest.size).toBe(3);
  });

  it('take little where much of a large one does not change: who is a little behind gets what changed', () => {
    const bids = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, '1.00']));
    const topic = new Topic(new Map([['BTC', { bids }]]), 100);
    for (let n = 0; n < 1000; n++) topic.publish('BTC', { kind: 'pair', patch: { bids: { [`p${n % 500}`]: `${n}.00` } } });
    const bytesFrom = (offset: number) =>
      topic.latest.next({ sequence: -1, offset }, { bytesMax: 1 }).items.reduce((sum, item) => sum + sizeOf(item), 0);
    expect(bytesFrom(topic.offset - 2 * 10)).toBeLessThan(400);
    expect(bytesFrom(topic.offset - 2 * 100)).toBeLessThan(4000);
    expect(bytesFrom(102)).toBeLessThan(sizeOf({ offset: 0, key: '', change: { kind: 'document', document: { bids } } }) * 1.6);
  });
});
