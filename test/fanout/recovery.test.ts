import { describe, expect, it } from 'vitest';
import { isOvertaken, type Past, recover } from '../../src/fanout/recovery.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { EPOCH, feed, item, key, MSGPACK, source } from '../support/fanout.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

/** Offsets 1 to `head`, of which the ring holds the last four. */
function feedAt(head: number): TopicFeed {
  const made = feed({ ringBounds: { itemsMax: 4, bytesMax: 1_000_000 } });
  for (let offset = 1; offset <= head; offset++) made.push(source(offset), offset - 1);
  return made;
}

const pastUpTo = (offset: number, more: Partial<Past> = {}): Past => ({
  epoch: EPOCH,
  completeFrom: 1,
  offset,
  items: Array.from({ length: offset - 1 }, (_, index) => item(index + 2)),
  ...more,
});

describe('a past that was read', () => {
  const since = { epoch: EPOCH, offset: 2 };
  const recovered = (made: TopicFeed, past: Past) => recover(made, made.join(MSGPACK).shard, since, past)?.map(({ offset }) => offset);

  it('joins on to a ring that holds what comes after it', () => {
    const made = feedAt(8);
    for (const upTo of [4, 6, 8]) {
      expect(isOvertaken(made, pastUpTo(upTo))).toBe(false);
      expect(recovered(made, pastUpTo(upTo))).toEqual([3, 4, 5, 6, 7, 8]);
    }
  });

  it('is to be read again when the ring has gone on behind it: recovery would not be whole', () => {
    const made = feedAt(9);
    expect(isOvertaken(made, pastUpTo(4))).toBe(true);
    expect(recovered(made, pastUpTo(4))).toBeUndefined();
  });

  it('is not to be read again where that would not help', () => {
    const made = feedAt(9);
    expect(isOvertaken(made, undefined)).toBe(false);
    expect(isOvertaken(made, pastUpTo(4, { completeFrom: undefined }))).toBe(false);
    expect(isOvertaken(made, pastUpTo(4, { epoch: 'e2' }))).toBe(false);
  });
});

describe('a position of another epoch', () => {
  const recovered = (made: TopicFeed, offset: number, past?: Past) =>
    recover(made, made.join(MSGPACK).shard, { epoch: 'another', offset }, past)?.map((each) => each.offset);

  it.each([4, 6, 7, 8, 9])('is not recovered, although its offset %i is in the ring or at its head', (offset) => {
    const made = feedAt(8);
    if (offset <= 8) expect(recover(made, made.join(MSGPACK).shard, { epoch: EPOCH, offset }, undefined)).toBeDefined();
    expect(recovered(made, offset)).toBeUndefined();
  });

  it('is not recovered, although the state of a keyed topic reaches back to its offset', () => {
    const made = feed({ namespace: namespaceOptions({ keyed: true }), ringBounds: { itemsMax: 2, bytesMax: 1_000_000 } });
    for (let offset = 1; offset <= 8; offset++) made.push(source(offset, { key: key(`K${offset % 2}`) }), offset - 1);
    expect(recover(made, made.join(MSGPACK).shard, { epoch: EPOCH, offset: 3 }, undefined)).toHaveLength(2);
    expect(recovered(made, 3)).toBeUndefined();
  });

  it('is not recovered from a past that was read, of this epoch or of its own', () => {
    const made = feedAt(8);
    expect(recovered(made, 2, pastUpTo(8))).toBeUndefined();
    expect(recovered(made, 2, pastUpTo(8, { epoch: 'another' }))).toBeUndefined();
  });
});

describe('a past of another epoch', () => {
  it('is no part of the answer, however well its offsets fit', () => {
    const made = feedAt(8);
    const { shard } = made.join(MSGPACK);
    const since = { epoch: EPOCH, offset: 2 };
    expect(recover(made, shard, since, pastUpTo(8))).toHaveLength(6);
    expect(recover(made, shard, since, pastUpTo(8, { epoch: 'another' }))).toBeUndefined();
  });
});
