import { describe, expect, it } from 'vitest';
import { type FanoutSink, Flusher } from '../../src/fanout/flush.ts';
import { COVER_ITEMS, COVER_MS } from '../../src/fanout/range.ts';
import { FieldSelection, PROJECTIONS_KEPT_MAX } from '../../src/fanout/selection.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { feed, groupOf, item, JSON_VARIANT, join, MSGPACK, type StubRecipient, source } from '../support/fanout-fixtures.ts';
import { decodeBatch } from '../support/fanout-model.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const selection = new FieldSelection(['/best/bid']);
const SELECTED = { ...MSGPACK, selection };

const books = () => feed({ namespace: namespaceOptions({ state: 'document' }) });
const whole = (offset: number, value: object) => source(offset, { value });
const patch = (offset: number, value: object, more: object = {}) => source(offset, { value, patch: true, ...more });

let nextTick = 1;
const LIMITS = { frameBytesMax: 15_360, lagThresholdBytes: 65_536 };
const SINK = { flushed: () => undefined, done: () => undefined } as unknown as FanoutSink;

/** What the recipients are sent of what the feed has now: for each shard its batch, or nothing. */
function flush(topic: TopicFeed): void {
  const flusher = new Flusher(SINK, LIMITS);
  for (const { shards } of topic.variants)
    for (const shard of shards) if (shard.cursor < topic.ring.next) flusher.gather(shard, 5, nextTick);
  nextTick++;
}

const batches = (recipient: StubRecipient, binary = true) =>
  recipient.take().map((frame) => {
    const { prev, items } = decodeBatch(frame, binary);
    return { prev, items };
  });

describe('members that select fields of a document', () => {
  it('get what changed of them, and nothing of what else changes; the next batch covers it', () => {
    const topic = books();
    topic.push(whole(10, { best: { bid: 1, ask: 2 }, depth: 5 }));
    const { recipient } = join(topic, SELECTED);
    const json = join(topic, { ...JSON_VARIANT, selection }).recipient;
    const all = join(topic).recipient;
    topic.push(patch(11, { best: { bid: 2, ask: 3 } }));
    flush(topic);
    topic.push(patch(12, { best: { ask: 4 } }));
    flush(topic);
    topic.push(patch(13, { depth: 6 }));
    topic.push(patch(14, { best: null }));
    topic.push(patch(15, { depth: 7 }));
    flush(topic);
    topic.push(patch(16, { best: { bid: 3 } }));
    flush(topic);
    const expected = [
      { prev: 10, items: [[11, null, { best: { bid: 2 } }, { patch: true }]] },
      { prev: 11, items: [[14, null, { best: { bid: null } }, { patch: true }]] },
      { prev: 14, items: [[16, null, { best: { bid: 3 } }, { patch: true }]] },
    ];
    expect(batches(recipient)).toEqual(expected);
    expect(batches(json, false)).toEqual(expected);
    expect(batches(all).map(({ prev, items }) => [prev, items.length])).toEqual([
      [10, 1],
      [11, 1],
      [12, 3],
      [15, 1],
    ]);
  });

  it('are told that the document was removed, and of the patch that begins it again, whatever that changes', () => {
    const topic = books();
    topic.push(whole(1, { best: { bid: 1 } }));
    const { recipient } = join(topic, SELECTED);
    topic.push(source(2, { value: null, removed: true }));
    topic.push(patch(3, { depth: 1 }));
    topic.push(patch(4, { depth: 2 }));
    flush(topic);
    expect(batches(recipient)).toEqual([
      {
        prev: 1,
        items: [
          [2, null, null, { removed: true }],
          [3, null, { best: {} }, { patch: true }],
        ],
      },
    ]);
    // In a batch of its own, too.
    topic.push(source(5, { value: null, removed: true }));
    flush(topic);
    topic.push(patch(6, { depth: 1 }));
    flush(topic);
    expect(batches(recipient)[1]).toEqual({ prev: 5, items: [[6, null, { best: {} }, { patch: true }]] });
  });

  it('get pairs as pairs, and what is left of one where only its deletions matter', () => {
    const select = (value: object, first: object) => {
      const [only] = selection.select([item(0), item(2, { value, patch: true, first: packed(first) })], false).slice(1);
      return only && [unpackMsgpack(only.data), only.first && unpackMsgpack(only.first)];
    };
    expect(select({ best: { bid: { a: 1 } } }, { best: { bid: null } })).toEqual([{ best: { bid: { a: 1 } } }, { best: { bid: null } }]);
    expect(select({ best: { ask: 1 } }, { best: null })).toEqual([{ best: { bid: null } }, undefined]);
    expect(select({ best: { bid: 1 } }, { depth: null })).toEqual([{ best: { bid: 1 } }, undefined]);
    expect(select({ depth: { a: 1 } }, { depth: null })).toBeUndefined();
  });

  it('share a projection, whatever their encoding and rate, and keep so many of them', () => {
    const own = new FieldSelection(['/a']);
    const items = Array.from({ length: PROJECTIONS_KEPT_MAX + 10 }, (_, at) => item(at + 1, { value: { a: at } }));
    const first = own.select(items.slice(0, 1), true);
    expect(own.select(items.slice(0, 1), true)[0]).toBe(first[0]);
    own.select(items, true);
    expect(own.kept).toBe(PROJECTIONS_KEPT_MAX);
    expect(own.select(items.slice(-1), true)[0]).toBe(own.select(items.slice(-1), true)[0]);
    expect(own.select(items.slice(0, 1), true)[0]).not.toBe(first[0]);
  });

  it('are told how far the topic is after so many publications that are not for them, or after so long', () => {
    const topic = books();
    topic.push(whole(1, { best: { bid: 1 } }));
    const { recipient } = join(topic, SELECTED);
    let offset = 1;
    const publishOther = (publishedAtMs: number) => {
      topic.push(patch(++offset, { depth: offset }, { publishedAtMs }));
      flush(topic);
    };
    for (let n = 1; n < COVER_ITEMS; n++) publishOther(5000);
    expect(batches(recipient)).toEqual([]);
    publishOther(5000);
    expect(batches(recipient)).toEqual([{ prev: 1, items: [[offset]] }]);
    const covered = offset;
    publishOther(6000);
    publishOther(6000 + COVER_MS - 1);
    expect(batches(recipient)).toEqual([]);
    publishOther(6000 + COVER_MS);
    expect(batches(recipient)).toEqual([{ prev: covered, items: [[offset]] }]);
  });

  it('see a gap where the ring has lost what may have been for them', () => {
    const topic = feed({ namespace: namespaceOptions({ state: 'document' }), limits: { itemsPerTopicMax: 4 } });
    topic.push(whole(1, { best: { bid: 1 } }));
    const { recipient } = join(topic, SELECTED);
    for (let offset = 2; offset < 12; offset++) topic.push(patch(offset, { depth: offset }));
    const told: unknown[] = [];
    const flusher = new Flusher({ ...SINK, skipped: () => Buffer.from('lagged') }, LIMITS);
    flusher.gather(topic.variants[0]!.shards[0]!, 5, nextTick++);
    for (const frame of recipient.take()) told.push(frame.length === 6 ? 'lagged' : decodeBatch(frame, true).prev);
    expect(told).toEqual(['lagged', 7]);
  });

  it('that have been sent nothing for different times are merged, and all of them can join the next batch on', () => {
    const topic = books();
    topic.push(whole(1, { best: { bid: 1 } }));
    const early = join(topic, SELECTED, groupOf());
    topic.push(patch(2, { depth: 1 }));
    flush(topic);
    topic.push(patch(3, { depth: 2 }));
    // It has everything, so it cannot join the shard that is behind.
    const late = join(topic, SELECTED, groupOf(), topic.ring.next);
    flush(topic);
    const { variant } = early;
    expect(variant.shards.map(({ cursor, offset }) => [cursor, offset])).toEqual([
      [3, 1],
      [3, 3],
    ]);
    const pair = variant.mergeable()!;
    for (const recipient of [...pair.from.recipients]) variant.move(recipient, pair.from, pair.into);
    topic.push(patch(4, { best: { bid: 4 } }));
    flush(topic);
    for (const { recipient } of [early, late]) expect(batches(recipient).map(({ prev }) => prev)).toEqual([1]);
  });
});

describe('a topic', () => {
  it('knows the different selections of its connections, in the stream or catching up', () => {
    const topic = books();
    const other = new FieldSelection(['/depth']);
    const { variant, shard, recipient } = join(topic, SELECTED);
    topic.enterLagging(other, '');
    topic.enterLagging(new FieldSelection(['/best/bid', '/best/bid/x']), '');
    expect(topic.selections?.size).toBe(2);
    expect(topic.selections?.get(selection.name)).toBe(selection);
    topic.leave(variant, shard, recipient);
    topic.leaveLagging(other, '');
    expect(topic.selections?.size).toBe(1);
    topic.leaveLagging(selection, '');
    expect(topic.selections).toBeUndefined();
  });
});

function packed(value: unknown): Uint8Array {
  return Buffer.from(source(1, { value }).data);
}
