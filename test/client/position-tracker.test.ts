import { describe, expect, it } from 'vitest';
import { PositionTracker, type Step } from '../../src/client/position-tracker.ts';
import type { Item, Position } from '../../src/protocol/messages.ts';

const EPOCH = 'e1';
const items = (...offsets: number[]): Item[] => offsets.map((offset) => [offset, null, `#${offset}`]);
const batch = (prev: number, ...offsets: number[]) => ({ epoch: EPOCH, prev, items: items(...offsets) });
const history = (offset: number, complete: boolean, ...offsets: number[]) => ({ epoch: EPOCH, offset, complete, items: items(...offsets) });

/** Subscribed, and everything up to `offset` delivered. */
function trackerAt(offset: number, holdItemsMax = 100): PositionTracker {
  const tracker = new PositionTracker(holdItemsMax, undefined);
  tracker.subscribed({ epoch: EPOCH, offset, recovered: false, items: [] }, undefined);
  return tracker;
}

const positionOf = ({ position }: PositionTracker) => position as Position;

const told = ({ deliveries, next, duplicates }: Step) => ({
  offsets: deliveries.flatMap((delivery) => delivery.items.map(([offset]) => offset)),
  sources: deliveries.filter((delivery) => delivery.items.length > 0).map(({ source }) => source),
  next,
  duplicates,
});

describe('missed items', () => {
  it('may continue in batches: delivered parts count, whenever the connection breaks', () => {
    const tracker = trackerAt(10);
    const { position: since } = tracker;
    tracker.interrupted();
    const first = told(tracker.subscribed({ epoch: EPOCH, offset: 12, recovered: true, items: items(11, 12), upTo: 15 }, since));
    expect(first).toMatchObject({ offsets: [11, 12], sources: ['recovered'] });
    expect(told(tracker.batch(batch(12, 13)))).toMatchObject({ offsets: [13], sources: ['recovered'] });
    expect(tracker.position?.offset).toBe(13);
    expect(told(tracker.batch(batch(13, 14, 15)))).toMatchObject({ offsets: [14, 15], sources: ['recovered'] });
    expect(told(tracker.batch(batch(15, 16)))).toMatchObject({ offsets: [16], sources: ['live'] });
  });
});

describe('keys as they are at the end of a range', () => {
  it('come in several batches, and the position stays until the last of them', () => {
    const tracker = trackerAt(10);
    const { position } = tracker;
    expect(told(tracker.batch({ ...batch(10, 14, 20), continues: true }))).toMatchObject({ offsets: [14, 20], sources: ['live'] });
    expect(tracker.position).toBe(position);
    expect(told(tracker.batch(batch(10, 17, 21)))).toMatchObject({ offsets: [17, 21], sources: ['live'] });
    expect(tracker.position?.offset).toBe(21);
  });

  it('are the rest of the state up to where it was requested, and live after that', () => {
    const tracker = new PositionTracker(100, undefined);
    tracker.subscribed({ epoch: EPOCH, offset: 0, recovered: false, items: items(3), upTo: 10 }, undefined);
    expect(told(tracker.batch({ ...batch(0, 5, 12), continues: true }))).toMatchObject({ offsets: [5, 12], sources: ['snapshot', 'live'] });
    expect(tracker.position?.offset).toBe(0);
    expect(told(tracker.batch(batch(0, 13)))).toMatchObject({ offsets: [13], sources: ['live'] });
    expect(tracker.position?.offset).toBe(13);
  });
});

describe('a stream from a time on', () => {
  it('begins with what was published since then, as recovered, and goes on after it', () => {
    const tracker = new PositionTracker(100, undefined);
    const step = tracker.subscribed({ epoch: EPOCH, offset: 12, recovered: true, items: items(11, 12), upTo: 15 }, undefined);
    expect(told(step)).toMatchObject({ offsets: [11, 12], sources: ['recovered'], duplicates: 0 });
    expect(told(tracker.batch(batch(12, 14, 15)))).toMatchObject({ offsets: [14, 15], sources: ['recovered'] });
    expect(told(tracker.batch(batch(15, 16)))).toMatchObject({ offsets: [16], sources: ['live'] });
  });

  it('begins with the state where that is gone, and nothing is void', () => {
    const tracker = new PositionTracker(100, undefined);
    const step = tracker.subscribed({ epoch: EPOCH, offset: 12, recovered: false, items: items(12) }, undefined);
    expect(told(step)).toMatchObject({ offsets: [12], sources: ['snapshot'] });
    expect(step.deliveries[0]).toMatchObject({ resyncReason: undefined, startsState: true });
  });
});

describe('a batch', () => {
  it('is delivered when it begins where the last one ended', () => {
    const tracker = trackerAt(10);
    expect(told(tracker.batch(batch(10, 12, 15)))).toEqual({ offsets: [12, 15], sources: ['live'], next: 'nothing', duplicates: 0 });
    expect(tracker.position).toEqual({ epoch: EPOCH, offset: 15 });
  });

  it('is stripped of what was already delivered', () => {
    const tracker = trackerAt(10);
    expect(told(tracker.batch(batch(7, 8, 10, 12)))).toMatchObject({ offsets: [12], duplicates: 2 });
    expect(told(tracker.batch(batch(7, 8, 10, 12)))).toMatchObject({ offsets: [], duplicates: 3 });
    expect(tracker.position?.offset).toBe(12);
  });

  it('is held if something before it is missing, and delivered after the answer of the log', () => {
    const tracker = trackerAt(10);
    expect(told(tracker.batch(batch(12, 14)))).toMatchObject({ offsets: [], next: 'askHistory' });
    expect(told(tracker.batch(batch(14, 15)))).toMatchObject({ offsets: [], next: 'nothing' });
    expect(tracker.heldItems).toBe(2);
    const filled = told(tracker.history(history(14, true, 11, 12, 14), positionOf(tracker)));
    expect(filled).toEqual({ offsets: [11, 12, 14, 15], sources: ['recovered', 'live'], next: 'nothing', duplicates: 1 });
    expect(tracker.heldItems).toBe(0);
  });

  it('may come late: held batches follow it, and the log’s answer is not needed any more', () => {
    const tracker = trackerAt(10);
    const since = positionOf(tracker);
    tracker.batch(batch(12, 14));
    expect(told(tracker.batch(batch(10, 11, 12)))).toMatchObject({ offsets: [11, 12, 14], next: 'nothing' });
    expect(told(tracker.history(history(14, true, 11, 12, 14), since))).toMatchObject({ offsets: [], duplicates: 0 });
  });

  it('of another epoch makes the topic start over, and is not delivered', () => {
    const tracker = trackerAt(10);
    expect(told(tracker.batch({ epoch: 'e2', prev: 10, items: items(11) }))).toMatchObject({ offsets: [], next: 'resubscribe' });
    expect(tracker.position).toEqual({ epoch: EPOCH, offset: 10 });
  });

  it('moves the position over places that are covered with nothing to deliver', () => {
    const tracker = trackerAt(10);
    tracker.batch({ epoch: EPOCH, prev: 10, items: [[11]] });
    expect(tracker.position?.offset).toBe(11);
  });

  it('of an ephemeral topic is delivered as it arrives', () => {
    const tracker = new PositionTracker(100, undefined);
    tracker.subscribed({ epoch: '', offset: 0, recovered: false, items: [] }, undefined);
    expect(tracker.position).toBeUndefined();
    const ephemeral = { epoch: '', prev: 0, items: items(0, 0) };
    expect(told(tracker.batch(ephemeral))).toMatchObject({ offsets: [0, 0] });
    expect(told(tracker.batch(ephemeral))).toMatchObject({ offsets: [0, 0], duplicates: 0 });
  });
});

describe('a gap', () => {
  it('is asked for page by page while the log has more', () => {
    const tracker = trackerAt(10);
    tracker.batch(batch(15, 16));
    expect(told(tracker.history(history(12, true, 11, 12), positionOf(tracker)))).toMatchObject({ offsets: [11, 12], next: 'askHistory' });
    expect(tracker.position?.offset).toBe(12);
    expect(told(tracker.history(history(15, true, 15), positionOf(tracker)))).toMatchObject({ offsets: [15, 16], next: 'nothing' });
  });

  it('is no gap when the log has nothing there', () => {
    const tracker = trackerAt(10);
    tracker.batch(batch(15, 16));
    expect(told(tracker.history(history(15, true), positionOf(tracker)))).toMatchObject({ offsets: [16], next: 'nothing' });
  });

  it.each<[what: string, answer: (tracker: PositionTracker) => Step]>([
    ['is not whole', (tracker) => tracker.history(history(15, false, 13), positionOf(tracker))],
    [
      'is of another epoch',
      (tracker) => tracker.history({ epoch: 'e2', offset: 15, complete: true, items: items(13) }, positionOf(tracker)),
    ],
    ['cannot be had', (tracker) => tracker.historyFailed(positionOf(tracker))],
  ])('makes the topic start over when the answer %s', (_, answer) => {
    const tracker = trackerAt(10);
    tracker.batch(batch(15, 16));
    expect(told(answer(tracker))).toMatchObject({ offsets: [], next: 'resubscribe' });
    expect(tracker.heldItems).toBe(0);
    expect(tracker.position).toEqual({ epoch: EPOCH, offset: 10 });
    expect(told(tracker.batch(batch(10, 11)))).toMatchObject({ offsets: [] });
  });

  it('makes the topic start over when the log keeps bringing nothing new', () => {
    const tracker = trackerAt(10);
    tracker.batch(batch(15, 16));
    const next = [1, 2, 3].map(() => tracker.history(history(10, true), positionOf(tracker)).next);
    expect(next).toEqual(['askHistory', 'askHistory', 'resubscribe']);
  });

  it('holds items up to its limit, and resubscribes above it', () => {
    const tracker = trackerAt(10, 3);
    expect(tracker.batch(batch(12, 13, 14, 15)).next).toBe('askHistory');
    expect(tracker.heldItems).toBe(3);
    expect(tracker.batch(batch(15, 16)).next).toBe('resubscribe');
    expect(tracker.heldItems).toBe(0);
  });
});

describe('a subscription', () => {
  it('begins with the state, at its position', () => {
    const tracker = new PositionTracker(100, undefined);
    const step = tracker.subscribed({ epoch: EPOCH, offset: 20, recovered: false, items: items(3, 17) }, undefined);
    expect(told(step)).toMatchObject({ offsets: [3, 17], sources: ['snapshot'] });
    expect(step.deliveries[0]).toMatchObject({ resyncReason: undefined, position: { epoch: EPOCH, offset: 20 } });
  });

  it('continues at its position, with what it missed, and without what it had', () => {
    const tracker = trackerAt(10);
    tracker.interrupted();
    expect(told(tracker.batch(batch(10, 11)))).toMatchObject({ offsets: [] });
    const since = tracker.position;
    expect(since).toEqual({ epoch: EPOCH, offset: 10 });
    const step = tracker.subscribed({ epoch: EPOCH, offset: 13, recovered: true, items: items(9, 11, 13) }, since);
    expect(told(step)).toEqual({ offsets: [11, 13], sources: ['recovered'], next: 'nothing', duplicates: 1 });
    expect(told(tracker.batch(batch(12, 13, 14)))).toMatchObject({ offsets: [14], duplicates: 1 });
  });

  it('resyncs if what was missed cannot be recovered', () => {
    const tracker = new PositionTracker(100, { epoch: EPOCH, offset: 10 });
    const step = tracker.subscribed({ epoch: EPOCH, offset: 99, recovered: false, items: items(98) }, tracker.position);
    expect(step.deliveries).toEqual([
      { source: 'snapshot', items: items(98), position: { epoch: EPOCH, offset: 99 }, resyncReason: expect.any(String), startsState: true },
    ]);
  });

  it('starts again from a resync, and drops held batches', () => {
    const tracker = trackerAt(10);
    const since = positionOf(tracker);
    tracker.batch(batch(12, 13));
    const step = tracker.resync({ epoch: 'e2', offset: 5, reason: 'the log was lost', items: items(5) });
    expect(step.deliveries).toMatchObject([{ resyncReason: 'the log was lost', source: 'snapshot', position: { epoch: 'e2', offset: 5 } }]);
    expect(told(tracker.history(history(13, true, 11, 12, 13), since))).toMatchObject({ offsets: [] });
    expect(told(tracker.batch({ epoch: 'e2', prev: 5, items: items(6) }))).toMatchObject({ offsets: [6] });
  });

  it('takes no answer of the log that was requested before a resync for the one that was requested after it', () => {
    const tracker = trackerAt(10);
    tracker.batch(batch(12, 13));
    const early = positionOf(tracker);
    expect(told(tracker.history({ ...history(11, true, 11), continues: true }, early))).toMatchObject({ offsets: [11] });
    tracker.resync({ epoch: EPOCH, offset: 10, reason: 'what was missed is gone', items: [] });
    expect(tracker.batch(batch(12, 13)).next).toBe('askHistory');
    const late = positionOf(tracker);
    expect(told(tracker.history(history(12, true, 12), early))).toMatchObject({ offsets: [], next: 'nothing' });
    expect(tracker.historyFailed(early).next).toBe('nothing');
    expect(tracker.position).toEqual({ epoch: EPOCH, offset: 10 });
    expect(told(tracker.history(history(12, true, 11, 12), late))).toMatchObject({ offsets: [11, 12, 13], next: 'nothing' });
  });

  it('continues after what the server skipped, and delivers held batches', () => {
    const tracker = trackerAt(10);
    tracker.batch(batch(20, 21));
    expect(told(tracker.skippedTo(20))).toMatchObject({ offsets: [21], next: 'nothing' });
    expect(tracker.skippedTo(3)).toEqual({ deliveries: [], next: 'nothing', duplicates: 0 });
    expect(tracker.position?.offset).toBe(21);
  });
});

describe('an answer to `subscribe` with a position', () => {
  const since = { epoch: EPOCH, offset: 10 };

  it('of another epoch resets the topic, unless that epoch continues the one of the position', () => {
    const anew = trackerAt(10);
    anew.interrupted();
    const step = anew.subscribed({ epoch: 'another', offset: 12, recovered: false, items: items(11, 12) }, since);
    expect(step.deliveries).toMatchObject([{ source: 'snapshot', resyncReason: expect.stringMatching(/.+/) }]);
    expect(anew.position).toEqual({ epoch: 'another', offset: 12 });

    const goesOn = trackerAt(10);
    goesOn.interrupted();
    expect(told(goesOn.subscribed({ epoch: 'another', offset: 12, recovered: true, items: items(9, 11, 12) }, since))).toMatchObject({
      offsets: [11, 12],
      sources: ['recovered'],
      duplicates: 1,
    });
    expect(goesOn.position).toEqual({ epoch: 'another', offset: 12 });
  });

  it('of a node that has seen less never moves the position back', () => {
    const tracker = trackerAt(10);
    tracker.interrupted();
    expect(told(tracker.subscribed({ epoch: EPOCH, offset: 8, recovered: true, items: items(7, 8) }, since))).toMatchObject({
      offsets: [],
      duplicates: 2,
    });
    expect(tracker.position).toEqual({ epoch: EPOCH, offset: 10 });
    expect(told(tracker.batch(batch(8, 9, 10, 11)))).toMatchObject({ offsets: [11], duplicates: 2 });
  });

  it('counts as recovered only what that answer covered: after an interruption new items are live again', () => {
    const tracker = trackerAt(10);
    tracker.interrupted();
    tracker.subscribed({ epoch: EPOCH, offset: 11, recovered: true, items: items(11), upTo: 50 }, since);
    tracker.interrupted();
    tracker.subscribed({ epoch: EPOCH, offset: 20, recovered: false, items: items(20) }, { epoch: EPOCH, offset: 11 });
    expect(told(tracker.batch(batch(20, 21)))).toMatchObject({ offsets: [21], sources: ['live'] });
  });
});

describe('a resync', () => {
  const resync = { epoch: 'another', offset: 3, reason: 'the log was reset', items: items(3) };

  it('starts the topic over', () => {
    const tracker = trackerAt(10);
    expect(tracker.resync(resync).deliveries).toMatchObject([{ source: 'snapshot', resyncReason: resync.reason }]);
    expect(tracker.position).toEqual({ epoch: 'another', offset: 3 });
    expect(told(tracker.batch({ epoch: 'another', prev: 3, items: items(4) }))).toMatchObject({ offsets: [4], sources: ['live'] });
  });

  it('counts for nothing while `subscribe` is not answered: it was sent before that', () => {
    const tracker = trackerAt(10);
    tracker.interrupted();
    expect(tracker.resync(resync).deliveries).toEqual([]);
    expect(tracker.position).toEqual({ epoch: EPOCH, offset: 10 });
  });
});
