import { pack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { ChunkMemo } from '../../loadtest/swarm/chunk-memo.ts';
import { ANY_SEQUENCE, Tally } from '../../loadtest/swarm/tally.ts';
import { PayloadMaker } from '../../src/bench/stamp.ts';

const PAYLOAD_BYTES = 100;
const maker = new PayloadMaker(PAYLOAD_BYTES);

function tally(over: Partial<ConstructorParameters<typeof Tally>[0]> = {}): Tally {
  return new Tally({ connections: 2, payloadBytes: PAYLOAD_BYTES, sampleEvery: 1, keys: 0, ...over });
}

/** A batch as Stentor sends it: items of `[offset, key, data]`. */
function batch(sequences: readonly number[], { timeUs = 0, keys = 0 } = {}): Buffer {
  const items = sequences.map((sequence) => {
    const key = keys === 0 ? 0 : sequence % keys;
    return [sequence + 1, null, JSON.parse(maker.make(key, sequence, timeUs).toString())];
  });
  return pack({ type: 'batch', topic: 'bench.big', epoch: 'e', prev: 0, sentAtMs: 1, items });
}

function count(to: Tally, frame: Buffer, connection = 0, nowUs = 0): number {
  return to.count(connection, frame, 0, frame.length, nowUs);
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('a tally', () => {
  it('counts every item of a batch without decoding it, across the sizes that MessagePack gives an offset', () => {
    const counted = tally();
    expect(count(counted, batch(range(0, 300)))).toBe(300);
    expect(count(counted, batch(range(300, 301)))).toBe(1);
    expect(counted).toMatchObject({ delivered: 301, frames: 2, skipped: 0, repeated: 0 });
    expect(counted.nextSequence[0]).toBe(301);
  });

  it('is not misled by an offset whose bytes look like text', () => {
    const counted = tally();
    count(counted, batch([16_417]));
    count(counted, batch(range(16_418, 16_430)));
    expect(counted).toMatchObject({ delivered: 13, skipped: 0, repeated: 0 });
  });

  it('reports no items for a frame without stamps', () => {
    const counted = tally();
    expect(count(counted, pack({ type: 'subscribed', id: 1, topic: 'bench.big' }))).toBe(0);
    expect(counted.frames).toBe(0);
  });

  it('uses the first sequence of a connection as its start', () => {
    const counted = tally();
    expect(counted.nextSequence[0]).toBe(ANY_SEQUENCE);
    count(counted, batch([70, 71]));
    expect(counted).toMatchObject({ delivered: 2, skipped: 0, repeated: 0 });
  });

  it('counts missing items, per connection', () => {
    const counted = tally();
    count(counted, batch([0, 1, 5]), 0);
    count(counted, batch([0, 1]), 1);
    expect(counted.skipped).toBe(3);
    expect([...counted.nextSequence]).toEqual([6, 2]);
  });

  it('counts repeated and out-of-order items, and does not go back for them', () => {
    const counted = tally();
    count(counted, batch([0, 1, 1, 0, 2]));
    expect(counted).toMatchObject({ repeated: 2, skipped: 0 });
    expect(counted.nextSequence[0]).toBe(3);
  });

  it('keeps latencies from the scheduled time of sampled connections only', () => {
    const counted = tally({ sampleEvery: 2 });
    count(counted, batch([0], { timeUs: 1000 }), 0, 6000);
    count(counted, batch([0], { timeUs: 1000 }), 1, 9000);
    expect(counted.latency.totalCount).toBe(1);
    expect(counted.latency.getValueAtPercentile(50)).toBeCloseTo(5000, -2);
  });

  it('keeps the last sequence of each key on each connection', () => {
    const counted = tally({ keys: 3 });
    count(counted, batch([0, 1, 2, 3], { keys: 3 }), 1);
    expect([...counted.lastByKey]).toEqual([ANY_SEQUENCE, ANY_SEQUENCE, ANY_SEQUENCE, 3, 1, 2]);
  });

  it('starts a window and keeps the position of each connection', () => {
    const counted = tally();
    count(counted, batch([0, 1]));
    counted.openWindow(-1);
    expect(counted.delivered).toBe(0);
    count(counted, batch([2]));
    expect(counted).toMatchObject({ delivered: 1, skipped: 0 });
  });
});

describe('a chunk memo', () => {
  const chunk = Buffer.concat([batch(range(0, 20)), Buffer.alloc(100)]);
  const length = chunk.length - 100;

  it('recognizes the same chunk, and no other', () => {
    const memo = new ChunkMemo(65_536);
    memo.remember(chunk, length, 0, 20, 1);
    expect(memo.match(chunk, length, 0)).toBe(20);
    expect(memo.frames).toBe(1);
    expect(memo.match(chunk, length, 1)).toBe(-1);
    expect(memo.match(chunk, length - 1, 0)).toBe(-1);
    const other = Buffer.from(chunk);
    other[length - 1]! ^= 1;
    expect(memo.match(other, length, 0)).toBe(-1);
  });

  it('remembers no chunk that is longer than its buffer', () => {
    const memo = new ChunkMemo(1000);
    memo.remember(chunk, length, 0, 20, 1);
    expect(memo.match(chunk, length, 0)).toBe(-1);
  });
});
