import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DocumentChange } from '../../src/document/fold.ts';
import { applyPair } from '../../src/document/merge-patch.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { RecentBudget } from '../../src/recent/budget.ts';
import type { ItemForm } from '../../src/recent/item-form.ts';
import { LatestDocument } from '../../src/recent/latest-document.ts';
import { Ring } from '../../src/recent/ring.ts';
import { documents, mapPatches, textOf } from '../support/document-fixtures.ts';
import { type Limits, WIDE } from '../support/recent-fixtures.ts';

interface DocumentItem {
  readonly offset: number;
  readonly change: DocumentChange;
  readonly removed?: boolean;
}

const sizeOf = ({ change }: DocumentItem) => packMsgpack(change).length;
const FORM: ItemForm<DocumentItem> = {
  bytesOf: sizeOf,
  wireBytesOf: sizeOf,
  slotOf: () => null,
  documents: {
    isPatch: ({ change }) => change.kind === 'pair',
    changeOf: ({ change }) => change,
    wholeItem: ({ offset }, document) => ({ offset, change: { kind: 'document', document }, removed: document === undefined }),
    pairItem: ({ offset }, pair) => ({ offset, change: { kind: 'pair', ...pair } }),
  },
};

function apply(document: unknown, { change }: DocumentItem): unknown {
  return change.kind === 'document' ? change.document : applyPair(document, change);
}

/** A topic with its document at every offset. */
class Topic {
  readonly budget: RecentBudget<DocumentItem>;
  readonly ring: Ring<DocumentItem>;
  readonly latest: LatestDocument<DocumentItem>;
  /** By offset. */
  readonly states = new Map<number, unknown>();
  offset: number;

  constructor(document: unknown, offset: number, limits: Limits = {}) {
    this.budget = new RecentBudget(FORM, { ...WIDE, ...limits });
    this.ring = new Ring(this.budget, offset);
    this.latest = new LatestDocument(FORM, this.ring, 0);
    if (offset > 0) this.latest.set({ offset, change: { kind: 'document', document }, removed: document === undefined }, -1);
    this.states.set(offset, offset > 0 ? document : undefined);
    this.offset = offset;
  }

  get document(): unknown {
    return this.states.get(this.offset);
  }

  publish(change: DocumentChange): void {
    const before = this.document;
    this.offset += 2;
    const item = { offset: this.offset, change, removed: change.kind === 'document' && change.document === undefined };
    this.latest.set(item, this.ring.next);
    this.ring.push(item);
    this.states.set(this.offset, apply(before, item));
  }
}

/** What a client has. */
class Client {
  readonly topic: Topic;
  document: unknown;
  position: { sequence: number; offset: number };

  constructor(topic: Topic, at: { sequence: number; offset: number }) {
    this.topic = topic;
    this.document = topic.states.get(at.offset);
    this.position = at;
  }

  /** Each item is a step of its own, after which the document is one that was published. */
  take({ items, position }: { readonly items: readonly DocumentItem[]; readonly position: Client['position'] }): void {
    for (const item of items) {
      this.document = apply(this.document, item);
      expect(textOf(this.document)).toBe(textOf(this.topic.states.get(item.offset)));
    }
    this.position = position;
  }
}

const changes: fc.Arbitrary<DocumentChange> = fc.oneof(
  { weight: 30, arbitrary: mapPatches.map((patch): DocumentChange => ({ kind: 'pair', patch })) },
  { weight: 1, arbitrary: documents.map((document): DocumentChange => ({ kind: 'document', document })) },
);
const bytesMax = fc.constantFrom(1, 200, 100_000);
const operations = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ kind: fc.constant('publish' as const), some: fc.array(changes, { minLength: 1, maxLength: 40 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('join' as const), bytesMax }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('return' as const), back: fc.nat(200), bytesMax }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('conflate' as const), back: fc.nat(200), bytesMax }) },
  ),
  { maxLength: 30 },
);

function runAll(topic: Topic, all: readonly (typeof operations extends fc.Arbitrary<(infer O)[]> ? O : never)[]): void {
  for (const one of all) {
    if (one.kind === 'publish') {
      for (const change of one.some) topic.publish(change);
      continue;
    }
    const head = topic.ring.next;
    const nobody = { sequence: -1, offset: 0 };
    const offsets = [...topic.states.keys()];
    const offset = offsets.at(-1 - (one.kind === 'join' ? 0 : one.back)) ?? (offsets[0] as number);
    const client = new Client(topic, one.kind === 'join' ? nobody : { sequence: -1, offset });
    if (one.kind === 'join') client.document = undefined;
    const isOver = () => client.position.sequence >= head || client.position.offset >= topic.offset;
    for (let steps = 0; steps === 0 || !isOver(); steps++) {
      expect(steps).toBeLessThan(1000);
      const until = one.kind === 'conflate' ? {} : { until: head };
      const withoutRemoved = one.kind === 'join' && steps === 0;
      const next = topic.latest.next(client.position, { bytesMax: one.bytesMax, ...until, withoutRemoved });
      if (next.items.length === 0) break;
      if (one.kind === 'conflate') expect(next.items.length).toBeLessThanOrEqual(2);
      client.take(next);
    }
    expect(textOf(client.document)).toBe(textOf(topic.document));
  }
}

describe('the document of a topic, for its clients', () => {
  it('is theirs too, wherever they come from, at every item, in parts of any size', () => {
    fc.assert(
      fc.property(documents, fc.boolean(), operations, (document, isNew, all) => {
        runAll(new Topic(document, isNew ? 0 : 100), all);
      }),
    );
  });

  it('also if the ring has little of what they missed', () => {
    fc.assert(
      fc.property(documents, fc.integer({ min: 1, max: 30 }), operations, (document, itemsPerTopicMax, all) => {
        runAll(new Topic(document, 100, { itemsPerTopicMax }), all);
      }),
    );
  });

  it('is, for a rate class, at most two items for any range', () => {
    fc.assert(
      fc.property(documents, fc.array(changes, { maxLength: 400 }), fc.array(fc.nat(400), { maxLength: 8 }), (document, all, pauses) => {
        const topic = new Topic(document, 100, { itemsPerTopicMax: 300 });
        const client = new Client(topic, { sequence: 0, offset: 100 });
        const stops = new Set(pauses);
        for (const [at, change] of all.entries()) {
          topic.publish(change);
          if (!stops.has(at) && at !== all.length - 1) continue;
          const items = topic.latest.between(client.position.sequence, topic.ring.next);
          expect(items.length).toBeLessThanOrEqual(2);
          client.take({ items, position: { sequence: topic.ring.next, offset: topic.offset } });
          expect(textOf(client.document)).toBe(textOf(topic.document));
        }
      }),
    );
  });
});

describe('a large document with small changes', () => {
  const image = {
    kind: 'document',
    document: { bids: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, '1.00'])) },
  } as const;

  function changed(count: number): Topic {
    const topic = new Topic(image.document, 100, { itemsPerTopicMax: 5000 });
    for (let i = 0; i < count; i++) topic.publish({ kind: 'pair', patch: { bids: { [`p${i % 1400}`]: i % 3 === 0 ? null : `${i}.00` } } });
    return topic;
  }

  it('gives who returns one change up to a recent point, and what came after that one by one', () => {
    const topic = changed(300);
    const { items } = topic.latest.next({ sequence: -1, offset: 100 + 2 * 200 }, { bytesMax: 1_000_000, until: topic.ring.next });
    expect(items[0]?.change.kind).toBe('pair');
    expect(items.length).toBeLessThan(100);
    expect(sizeOf(items[0] as DocumentItem)).toBeLessThan(1500);
  });

  it('gives who was away for long the document, which is smaller than its changes', () => {
    const topic = changed(4000);
    const { items } = topic.latest.next({ sequence: -1, offset: 102 }, { bytesMax: 1_000_000, until: topic.ring.next });
    expect(items[0]?.change.kind).toBe('document');
  });

  it('gives clients at many positions the same few changes', () => {
    const topic = changed(600);
    const firsts = new Set<DocumentItem>();
    for (let back = 100; back < 400; back++) {
      const { items } = topic.latest.next(
        { sequence: topic.ring.next - back, offset: topic.offset - 2 * back },
        { bytesMax: 1e6, until: topic.ring.next },
      );
      firsts.add(items[0] as DocumentItem);
    }
    expect(firsts.size).toBeLessThan(100 + 20);
  });
});
