import { describe, expect, it } from 'vitest';
import type { MissedItems } from '../../src/fanout/catch-up.ts';
import { cursorOf, firstPartOf, goingOn } from '../../src/fanout/recovery.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { inPresentLife, type Since } from '../../src/recent/lives.ts';
import { whereIsAfter } from '../../src/recent/where.ts';
import { EPOCH, feed, item, key, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

/** Offsets 1 to `head`, of which the ring holds the last four. */
function feedAt(head: number): TopicFeed {
  const made = feed({ limits: { itemsPerTopicMax: 4 } });
  for (let offset = 1; offset <= head; offset++) made.push(source(offset));
  return made;
}

const missedUpTo = (offset: number, more: Partial<MissedItems> = {}): MissedItems => ({
  epoch: EPOCH,
  completeFrom: 1,
  offset,
  items: Array.from({ length: offset - 1 }, (_, index) => item(index + 2)),
  ...more,
});

/** The items that a returning client gets immediately, and whether they are complete; undefined: it gets the state. */
function partOf(made: TopicFeed, since: Since, missed?: MissedItems) {
  const beginning = goingOn(made, since, missed);
  return beginning.recovered ? firstPartOf(made, beginning, { until: made.head, bytesMax: 1_000_000, missed }) : undefined;
}

const isAtHand = ({ holdings }: TopicFeed, offset: number) => ['ring', 'state'].includes(whereIsAfter(holdings, offset).kind);

const recover = (made: TopicFeed, since: Since, missed?: MissedItems) => partOf(made, since, missed)?.items.map(({ offset }) => offset);

describe('missed items that were read', () => {
  const since = { epoch: EPOCH, offset: 2 };

  it('is contiguous with a ring that has what comes after it', () => {
    const made = feedAt(8);
    for (const upTo of [4, 6, 8]) {
      expect(partOf(made, since, missedUpTo(upTo))?.whole).toBe(true);
      expect(recover(made, since, missedUpTo(upTo))).toEqual([3, 4, 5, 6, 7, 8]);
    }
  });

  it('is sent as far as it goes if the ring has advanced beyond it: only the log has what lies between', () => {
    const made = feedAt(9);
    expect(partOf(made, since, missedUpTo(4))).toMatchObject({
      items: [{ offset: 3 }, { offset: 4 }],
      position: { offset: 4 },
      whole: false,
    });
  });

  it('ends with nothing of the topic up to the end of the read, and the ring continues from there', () => {
    const made = feedAt(8);
    expect(recover(made, since, { ...missedUpTo(3), offset: 4 })).toEqual([3, 5, 6, 7, 8]);
  });

  it('from too late on brings nothing back', () => {
    const made = feedAt(9);
    for (const missed of [undefined, missedUpTo(4, { completeFrom: undefined }), missedUpTo(8, { completeFrom: 3 })])
      expect(recover(made, since, missed)).toBeUndefined();
  });
});

describe('the first part', () => {
  it('has what fits, at least one item, and the position from which the rest continues', () => {
    const made = feedAt(4);
    const beginning = goingOn(made, { epoch: EPOCH, offset: 0 }, undefined);
    const { wireBytes } = made.ring.at(0);
    const part = (bytesMax: number) => firstPartOf(made, beginning, { until: made.head, bytesMax });
    expect(part(1)).toMatchObject({ items: [{ offset: 1 }], position: { sequence: 1, offset: 1 }, whole: false });
    expect(part(wireBytes * 3)).toMatchObject({ position: { sequence: 3, offset: 3 }, whole: false });
    expect(part(wireBytes * 4)).toMatchObject({ position: made.head, whole: true });
    expect(firstPartOf(made, beginning, { until: { sequence: 1, offset: 1 }, bytesMax: 1 })).toMatchObject({
      items: [{ offset: 1 }],
      whole: true,
    });
  });
});

describe('a position of another epoch', () => {
  const recovered = (made: TopicFeed, offset: number, missed?: MissedItems) => recover(made, { epoch: 'another', offset }, missed);

  it.each([4, 6, 7, 8, 9])('is not recovered, although its offset %i is in the ring or at its head', (offset) => {
    const made = feedAt(8);
    if (offset <= 8) expect(recover(made, { epoch: EPOCH, offset })).toBeDefined();
    expect(recovered(made, offset)).toBeUndefined();
  });

  it('is not recovered, although the state of a keyed topic reaches back to its offset', () => {
    const made = feed({ namespace: namespaceOptions({ state: 'keyed' }), limits: { itemsPerTopicMax: 2 } });
    for (let offset = 1; offset <= 8; offset++) made.push(source(offset, { key: key(`K${offset % 2}`) }));
    expect(recover(made, { epoch: EPOCH, offset: 3 })).toHaveLength(2);
    expect(recovered(made, 3)).toBeUndefined();
  });

  it('is not recovered from a read of this epoch or of its own', () => {
    const made = feedAt(8);
    expect(recovered(made, 2, missedUpTo(8))).toBeUndefined();
    expect(recovered(made, 2, missedUpTo(8, { epoch: 'another' }))).toBeUndefined();
  });
});

describe('a past of another epoch', () => {
  it('is no part of the answer, however well its offsets fit', () => {
    const made = feedAt(8);
    const since = { epoch: EPOCH, offset: 2 };
    expect(recover(made, since, missedUpTo(8))).toHaveLength(6);
    expect(recover(made, since, missedUpTo(8, { epoch: 'another' }))).toBeUndefined();
  });
});

/** Keys K0 and K1 change in turn up to offset 8; only the last two changes are in the ring, and changes up to 3 are forgotten. */
function keyedFeed(): TopicFeed {
  const made = feed({ namespace: namespaceOptions({ state: 'keyed' }), limits: { itemsPerTopicMax: 2, keysPerTopicMax: 2 } });
  for (const [offset, name] of [
    [1, 'old'],
    [3, 'older'],
    [4, 'K0'],
    [5, 'K1'],
    [6, 'K0'],
    [7, 'K1'],
    [8, 'K0'],
  ] as const) {
    made.push(source(offset, { key: key(name) }));
  }
  return made;
}

describe('a position that a worker can answer for', () => {
  it('is one from which the ring continues', () => {
    const made = feedAt(8);
    for (const offset of [4, 7, 8]) expect(isAtHand(made, offset), `${offset}`).toBe(true);
    expect(isAtHand(made, 3)).toBe(false);
  });

  it('is, in a keyed topic, one from which the state knows every change', () => {
    const made = keyedFeed();
    expect(isAtHand(made, 3)).toBe(true);
    expect(isAtHand(made, 2)).toBe(false);
    expect(recover(made, { epoch: EPOCH, offset: 3 })).toEqual([7, 8]);
    expect(recover(made, { epoch: EPOCH, offset: 2 })).toBeUndefined();
  });

  it.each([
    ['unkeyed', feedAt(8)],
    ['keyed', keyedFeed()],
  ])('is none that lies ahead of what has come here: another node was faster (%s)', (_, made) => {
    expect(isAtHand(made, 9)).toBe(false);
  });
});

describe('a position ahead of this node', () => {
  const since = { epoch: EPOCH, offset: 10 };

  it.each([
    ['unkeyed', feedAt(8)],
    ['keyed', keyedFeed()],
  ])('is not recovered while nothing proves that it is one of this log (%s)', (_, made) => {
    expect(recover(made, since)).toBeUndefined();
  });

  it('is not recovered by a past that ends before it', () => {
    expect(recover(feedAt(8), since, missedUpTo(6))).toBeUndefined();
    expect(recover(feedAt(8), since, missedUpTo(9))).toBeUndefined();
  });

  it('is recovered, with nothing, when the log has it', () => {
    expect(recover(feedAt(8), since, { epoch: EPOCH, completeFrom: 10, offset: 10, items: [] })).toEqual([]);
  });
});

describe('the recovered items', () => {
  it.each([3, 5, 6, 8])('ends where the stream goes on, at %i, although more has been read: the rest comes with the next batch', (end) => {
    const made = feedAt(8);
    const beginning = goingOn(made, { epoch: EPOCH, offset: 1 }, missedUpTo(8));
    const until = { sequence: made.ring.sequenceAfter(end) ?? 0, offset: end };
    const part = firstPartOf(made, beginning, { until, bytesMax: 1_000_000, missed: missedUpTo(8) });
    expect(part.items.map(({ offset }) => offset)).toEqual(Array.from({ length: end - 1 }, (_, index) => index + 2));
    expect(part.whole).toBe(true);
    // If the ring reaches back to this position, the client continues from the ring.
    expect(part.position).toEqual(end > 3 ? until : expect.objectContaining({ offset: end }));
  });

  it('is everything after the position, also at the first offset that the past covers', () => {
    const made = feedAt(8);
    expect(recover(made, { epoch: EPOCH, offset: 1 }, missedUpTo(8))).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(recover(made, { epoch: EPOCH, offset: 0 }, missedUpTo(8))).toBeUndefined();
  });
});

describe('the cursor from which a reconnecting client may join', () => {
  it('is behind all that it has: a shard that is not so far would repeat it', () => {
    const made = feedAt(8);
    expect(cursorOf(made, { epoch: EPOCH, offset: 6 })).toBe(made.ring.sequenceAfter(6));
    expect(cursorOf(made, { epoch: EPOCH, offset: 8 })).toBe(made.ring.next);
    expect(cursorOf(made, { epoch: EPOCH, offset: 9 })).toBe(made.ring.next);
    expect(cursorOf(made, { epoch: EPOCH, offset: 1 })).toBe(0);
  });
});

describe('a position of an epoch that this one continues', () => {
  const before = [
    { epoch: 'last', upTo: 6 },
    { epoch: 'older', upTo: 3 },
  ];
  const inLife = (epoch: string, offset: number) => inPresentLife({ epoch: EPOCH, before }, { epoch, offset });

  it('is one of this life up to where both are the same, and not beyond', () => {
    expect(inLife('last', 6)).toEqual({ epoch: EPOCH, offset: 6 });
    expect(inLife('last', 7)).toEqual({ epoch: 'last', offset: 7 });
    expect(inLife('older', 3)).toEqual({ epoch: EPOCH, offset: 3 });
    expect(inLife('older', 4)).toEqual({ epoch: 'older', offset: 4 });
  });

  it('is not any other', () => {
    expect(inLife('another', 1)).toEqual({ epoch: 'another', offset: 1 });
    expect(inPresentLife({ epoch: EPOCH, before: undefined }, { epoch: 'last', offset: 1 })).toEqual({ epoch: 'last', offset: 1 });
    expect(inLife(EPOCH, 8)).toEqual({ epoch: EPOCH, offset: 8 });
  });
});
