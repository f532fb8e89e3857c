import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SlowConsumerPolicy } from '../../src/config/schema.ts';
import { nextCatchUpStep } from '../../src/fanout/catch-up.ts';
import type { FanoutItem } from '../../src/fanout/item.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { Key } from '../../src/protocol/topic.ts';
import { feed, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const KEYS = ['a', 'b', 'c', 'd'] as Key[];

function push(topicFeed: TopicFeed, name: Key | null): void {
  const head = topicFeed.ring.headOffset;
  topicFeed.push(source(head + 2, { key: name }));
}

/** Catches up to the head, while `meanwhile` publishes between the steps. */
function catchUp(topicFeed: TopicFeed, policy: SlowConsumerPolicy, bytesMax: number, meanwhile: Key[] = []) {
  const publishing = [...meanwhile];
  let position = { sequence: 0, offset: 0 };
  let skipped = 0;
  const items: FanoutItem[] = [];
  for (;;) {
    const step = nextCatchUpStep(topicFeed, { position, policy }, bytesMax);
    if (step.kind !== 'range' && step.kind !== 'skipped') return { end: step.kind, items, skipped, position };
    if (step.kind === 'range') {
      expect(step.range.prev).toBe(position.offset);
      expect(step.range.items.at(-1)?.offset).toBe(step.position.offset);
      const given = step.range.items as FanoutItem[];
      if (given.length > 1) expect(given.reduce((sum, one) => sum + one.wireBytes, 0)).toBeLessThanOrEqual(bytesMax);
      items.push(...given);
    }
    skipped += step.skipped;
    expect(step.position.sequence).toBeGreaterThan(position.sequence);
    position = step.position;
    const next = publishing.shift();
    if (next !== undefined) push(topicFeed, next);
  }
}

const names = fc.array(fc.constantFrom(...KEYS), { minLength: 1, maxLength: 40 });
const bytes = fc.integer({ min: 1, max: 400 });

describe('catching up', () => {
  it('is done at the head', () => {
    const topicFeed = feed();
    for (const policy of ['replay', 'conflate', 'skip', 'close'] as const) {
      expect(nextCatchUpStep(topicFeed, { position: topicFeed.head, policy }, 1000)).toEqual({ kind: 'caughtUp' });
    }
  });

  it('by replay sends everything that was missed, and what arrived meanwhile', () => {
    fc.assert(
      fc.property(names, names, bytes, (before, meanwhile, bytesMax) => {
        const topicFeed = feed();
        for (const name of before) push(topicFeed, name);
        const { end, items, skipped, position } = catchUp(topicFeed, 'replay', bytesMax, meanwhile);
        expect([end, skipped, position]).toEqual(['caughtUp', 0, topicFeed.head]);
        expect(items).toEqual(topicFeed.ring.slice(0, topicFeed.ring.next));
      }),
    );
  });

  it('by conflating sends the latest of every key that changed, and counts the rest', () => {
    fc.assert(
      fc.property(names, names, bytes, (before, meanwhile, bytesMax) => {
        const topicFeed = feed({ namespace: namespaceOptions({ state: 'keyed' }) });
        for (const name of before) push(topicFeed, name);
        const { end, items, skipped, position } = catchUp(topicFeed, 'conflate', bytesMax, meanwhile);
        expect([end, position]).toEqual(['caughtUp', topicFeed.head]);
        expect(items.length + skipped).toBe(topicFeed.ring.next);
        expect(items.map(({ offset }) => offset)).toEqual([...new Set(items.map(({ offset }) => offset))].sort((a, b) => a - b));
        const got = new Map(items.map(({ key, offset }) => [key, offset]));
        expect(got).toEqual(new Map(topicFeed.latest.between(0, topicFeed.ring.next).map(({ key, offset }) => [key, offset])));
      }),
    );
  });

  it('by conflating needs no ring: the state is enough', () => {
    const topicFeed = feed({ namespace: namespaceOptions({ state: 'keyed' }), limits: { itemsPerTopicMax: 1, bytesPerTopicMax: 1 } });
    for (const name of ['a', 'b', 'a', 'c'] as Key[]) push(topicFeed, name);
    expect(topicFeed.ring.first).toBe(3);
    const { items, skipped } = catchUp(topicFeed, 'conflate', 100_000);
    expect(items.map(({ key }) => key)).toEqual(['b', 'a', 'c']);
    expect(skipped).toBe(1);
  });

  it('by skipping sends nothing, reports how much, and is at the head', () => {
    const topicFeed = feed();
    for (const name of KEYS) push(topicFeed, name);
    expect(nextCatchUpStep(topicFeed, { position: { sequence: 1, offset: 2 }, policy: 'skip' }, 1000)).toEqual({
      kind: 'skipped',
      skipped: 3,
      position: topicFeed.head,
    });
  });

  it('by closing closes', () => {
    const topicFeed = feed();
    push(topicFeed, null);
    expect(nextCatchUpStep(topicFeed, { position: { sequence: 0, offset: 0 }, policy: 'close' }, 1000)).toEqual({ kind: 'close' });
  });

  it('reports if the ring no longer has what must be replayed', () => {
    const topicFeed = feed({ limits: { itemsPerTopicMax: 3 } });
    for (let i = 0; i < 5; i++) push(topicFeed, null);
    expect(nextCatchUpStep(topicFeed, { position: { sequence: 1, offset: 2 }, policy: 'replay' }, 1000)).toEqual({ kind: 'evicted' });
    expect(nextCatchUpStep(topicFeed, { position: { sequence: 2, offset: 4 }, policy: 'replay' }, 10_000)).toMatchObject({
      kind: 'range',
      skipped: 0,
    });
  });

  it('by conflating is lost when the state has forgotten a key that has changed since, and only then', () => {
    const topicFeed = feed({ namespace: namespaceOptions({ state: 'keyed' }), limits: { keysPerTopicMax: 2 } });
    for (const name of ['a', 'b', 'c', 'b', 'c', 'b'] as Key[]) push(topicFeed, name);
    expect(nextCatchUpStep(topicFeed, { position: { sequence: 0, offset: 0 }, policy: 'conflate' }, 1000)).toEqual({ kind: 'lost' });
    expect(nextCatchUpStep(topicFeed, { position: { sequence: 1, offset: 2 }, policy: 'conflate' }, 1000)).toMatchObject({
      kind: 'range',
      range: { items: [{ key: 'c' }, { key: 'b' }] },
      skipped: 3,
    });
  });

  it('by conflating goes to the head of an ephemeral topic whose state has forgotten a key: it promises no more', () => {
    const topicFeed = feed({ namespace: namespaceOptions({ state: 'keyed', durable: false }), limits: { keysPerTopicMax: 1 } });
    push(topicFeed, 'a' as Key);
    push(topicFeed, 'b' as Key);
    const { end, items, skipped } = catchUp(topicFeed, 'conflate', 1000);
    expect([end, items.map(({ key }) => key), skipped]).toEqual(['caughtUp', ['b'], 1]);
  });
});
