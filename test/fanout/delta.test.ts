import { describe, expect, it } from 'vitest';
import { Deltas } from '../../src/fanout/delta.ts';
import type { FanoutItem } from '../../src/fanout/item.ts';
import { unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { feed, item, join, key, MSGPACK, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const DELTA = { ...MSGPACK, delta: true } as const;
const LONG = 'x'.repeat(50);
const read = (each: FanoutItem) => [each.isPatch, unpackMsgpack(each.data)];

describe('what changed of values', () => {
  const keyed = (limits: object = {}) => feed({ namespace: namespaceOptions({ state: 'keyed', delta: 'fields' }), limits });

  it('is made only while somebody follows it', () => {
    const topic = keyed();
    const push = (offset: number, value: object) => topic.push(source(offset, { key: key('A'), value: { LONG, ...value } }));
    expect(push(1, { a: 1 }).delta).toBeUndefined();
    const { variant, shard, recipient } = join(topic, DELTA);
    expect(read(push(2, { a: 2 }).delta as FanoutItem)).toEqual([true, { a: 2 }]);
    const others = join(topic, DELTA);
    topic.leave(variant, shard, recipient);
    expect(push(3, { a: 3 }).delta).toBeDefined();
    topic.leave(others.variant, others.shard, others.recipient);
    expect(push(4, { a: 4 }).delta).toBeUndefined();
  });

  it('counts in the memory of the recent past', () => {
    const topic = keyed();
    join(topic, DELTA);
    topic.push(source(1, { value: { LONG, a: 1 } }));
    const before = topic.ring.bytes;
    const pushed = topic.push(source(2, { value: { LONG, a: 2 } }));
    expect(topic.ring.bytes - before).toBe(pushed.bytes);
    expect(pushed.bytes).toBeGreaterThan(item(2, { value: { LONG, a: 2 } }).bytes);
  });

  it('is the whole value of a key that is new, was removed, or is removed; where a patch is no smaller; and after a reset', () => {
    const deltas = new Deltas();
    const of = (before: FanoutItem | undefined, value: unknown, more: object = {}) => deltas.of(before, item(2, { value, ...more }));
    expect(of(undefined, { a: LONG })).toBeUndefined();
    expect(of(item(1, { value: null, removed: true }), { a: LONG })).toBeUndefined();
    expect(of(item(1, { value: { a: LONG } }), null, { removed: true })).toBeUndefined();
    expect(of(item(1, { value: { a: 1 } }), { a: 2 })).toBeUndefined();
    expect(of(item(1, { value: { a: 1, LONG } }), { a: 2, LONG })).toBeDefined();
  });

  it('keeps who published it, and when', () => {
    const more = { user: 'ann', connectionId: 'c1', eventAtMs: 7, key: key('A') };
    const delta = new Deltas().of(item(1, { value: { LONG, a: 1 } }), item(2, { value: { LONG, a: 2 }, ...more })) as FanoutItem;
    expect([delta.offset, delta.connectionId, delta.eventAtMs, delta.publishedAtMs]).toEqual([2, 'c1', 7, 1002]);
    expect(unpackMsgpack(Buffer.from(delta.encoded('msgpack') as string, 'latin1'))).toEqual([
      2,
      'A',
      { a: 2 },
      { eventAtMs: 7, origin: 'ann', patch: true },
    ]);
  });

  it('of a range is composed of its differences, once for all that are at the same place; whole where some of it is gone', () => {
    const topic = keyed({ itemsPerTopicMax: 4 });
    join(topic, DELTA);
    const push = (offset: number, name: string, value: object) => topic.push(source(offset, { key: key(name), value: { LONG, ...value } }));
    push(1, 'A', { a: 1, b: 1 });
    push(2, 'B', { a: 1 });
    push(3, 'A', { a: 2, b: 1 });
    push(4, 'A', { a: 1, b: 1, m: { x: 1 } });
    const latest = topic.latest.between(2, topic.ring.next);
    const composed = topic.deltas?.since(latest, 2, topic.ring);
    // Not the difference of the ends, in which `a` is equal.
    expect(composed?.map(read)).toEqual([[true, { a: 1, m: { x: 1 } }]]);
    expect(topic.deltas?.since(latest, 2, topic.ring)).toBe(composed);
    push(5, 'B', { a: 2 });
    expect(topic.deltas?.since(topic.latest.between(0, topic.ring.next), 0, topic.ring).map(({ isPatch }) => isPatch)).toEqual([
      false,
      false,
    ]);
  });
});
