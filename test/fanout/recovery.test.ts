import { describe, expect, it } from 'vitest';
import type { Past } from '../../src/fanout/catch-up.ts';
import { firstPartOf, goingOn, type Since } from '../../src/fanout/recovery.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { EPOCH, feed, item, key, source } from '../support/fanout.ts';
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

/** What is given at once to a client that comes back, and whether that is all; undefined: it begins anew. */
function partOf(made: TopicFeed, since: Since, past?: Past) {
  const beginning = goingOn(made, since, past);
  return beginning.recovered ? firstPartOf(made, beginning, made.head, 1_000_000, past) : undefined;
}

const recover = (made: TopicFeed, since: Since, past?: Past) => partOf(made, since, past)?.items.map(({ offset }) => offset);

describe('a past that was read', () => {
  const since = { epoch: EPOCH, offset: 2 };

  it('joins on to a ring that holds what comes after it', () => {
    const made = feedAt(8);
    for (const upTo of [4, 6, 8]) {
      expect(partOf(made, since, pastUpTo(upTo))?.whole).toBe(true);
      expect(recover(made, since, pastUpTo(upTo))).toEqual([3, 4, 5, 6, 7, 8]);
    }
  });

  it('is given as far as it goes when the ring has gone on behind it: only the log has what lies between', () => {
    const made = feedAt(9);
    expect(partOf(made, since, pastUpTo(4))).toMatchObject({
      items: [{ offset: 3 }, { offset: 4 }],
      position: { offset: 4 },
      whole: false,
    });
  });

  it('ends with nothing of the topic up to where it was read, and the ring goes on from there', () => {
    const made = feedAt(8);
    expect(recover(made, since, { ...pastUpTo(3), offset: 4 })).toEqual([3, 5, 6, 7, 8]);
  });

  it('from too late on brings nothing back', () => {
    const made = feedAt(9);
    for (const past of [undefined, pastUpTo(4, { completeFrom: undefined }), pastUpTo(8, { completeFrom: 3 })])
      expect(recover(made, since, past)).toBeUndefined();
  });
});

describe('the first part', () => {
  it('has what fits, one item at least, and the position from which the rest goes on', () => {
    const made = feedAt(4);
    const beginning = goingOn(made, { epoch: EPOCH, offset: 0 }, undefined);
    const { wireBytes } = made.ring.at(0);
    const part = (bytesMax: number) => firstPartOf(made, beginning, made.head, bytesMax);
    expect(part(1)).toMatchObject({ items: [{ offset: 1 }], position: { sequence: 1, offset: 1 }, whole: false });
    expect(part(wireBytes * 3)).toMatchObject({ position: { sequence: 3, offset: 3 }, whole: false });
    expect(part(wireBytes * 4)).toMatchObject({ position: made.head, whole: true });
    expect(firstPartOf(made, beginning, { sequence: 1, offset: 1 }, 1)).toMatchObject({ items: [{ offset: 1 }], whole: true });
  });
});

describe('a position of another epoch', () => {
  const recovered = (made: TopicFeed, offset: number, past?: Past) => recover(made, { epoch: 'another', offset }, past);

  it.each([4, 6, 7, 8, 9])('is not recovered, although its offset %i is in the ring or at its head', (offset) => {
    const made = feedAt(8);
    if (offset <= 8) expect(recover(made, { epoch: EPOCH, offset })).toBeDefined();
    expect(recovered(made, offset)).toBeUndefined();
  });

  it('is not recovered, although the state of a keyed topic reaches back to its offset', () => {
    const made = feed({ namespace: namespaceOptions({ keyed: true }), ringBounds: { itemsMax: 2, bytesMax: 1_000_000 } });
    for (let offset = 1; offset <= 8; offset++) made.push(source(offset, { key: key(`K${offset % 2}`) }), offset - 1);
    expect(recover(made, { epoch: EPOCH, offset: 3 })).toHaveLength(2);
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
    const since = { epoch: EPOCH, offset: 2 };
    expect(recover(made, since, pastUpTo(8))).toHaveLength(6);
    expect(recover(made, since, pastUpTo(8, { epoch: 'another' }))).toBeUndefined();
  });
});
