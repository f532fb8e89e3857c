import { describe, expect, it } from 'vitest';
import { ItemChecker, type Receiver } from './people/item-checker.ts';
import { LimitWatch } from './people/limit-watch.ts';
import { TopicTruth } from './people/topic-truth.ts';
import { Watcher } from './people/watcher.ts';

const GRACE_MS = 3000;

describe('the checker of received items', () => {
  const ann = (): Receiver => ({ name: 'ann', ids: new Set(), may: (topic) => topic === 'user.ann' });

  function counts(take: (checker: ItemChecker) => void) {
    const checker = new ItemChecker();
    take(checker);
    const { foreign, duplicates, unclean, received } = checker;
    return { foreign, duplicates, unclean, received };
  }

  it('accepts what was sent to the receiver', () => {
    const good = counts((checker) => checker.take(ann(), 'user.ann', { id: 1, to: 'user.ann', text: 'a < b' }));
    expect(good).toMatchObject({ foreign: 0, duplicates: 0, unclean: 0, received: 1 });
  });

  it.each([
    ['of a topic that the receiver has not', 'user.bob', { id: 1, to: 'user.bob' }],
    ['that was sent to another topic', 'user.ann', { id: 1, to: 'user.bob' }],
    ['that is no item of the run', 'user.ann', null],
  ])('detects an item %s', (_, topic, data) => {
    expect(counts((checker) => checker.take(ann(), topic, data))).toMatchObject({ foreign: 1 });
  });

  it('detects what arrives twice, and tags', () => {
    const receiver = ann();
    const taken = counts((checker) => {
      for (let i = 0; i < 2; i++) checker.take(receiver, 'user.ann', { id: 1, to: 'user.ann' });
      checker.take(receiver, 'user.ann', { id: 2, to: 'user.ann', text: 'a<SCRIPT>' });
    });
    expect(taken).toMatchObject({ duplicates: 1, unclean: 1 });
  });

  it('detects what nobody has sent, or not to this topic', () => {
    const checker = new ItemChecker();
    for (const id of [1, 2, 3]) checker.take(ann(), 'user.ann', { id, to: 'user.ann' });
    const sent = new Map([
      [1, 'user.ann'],
      [2, 'user.bob'],
    ]);
    expect(checker.invented(sent)).toBe(2);
  });
});

describe('the truth of a topic', () => {
  it('counts connections and names users', () => {
    const truth = new TopicTruth(GRACE_MS);
    for (const user of ['bob', 'ann', 'ann']) truth.join(user, 0);
    truth.leave('bob', 10);
    expect(truth.state()).toEqual({ count: 2, users: ['ann'] });
  });

  it('forbids a leave within the grace time, and while a connection is there', () => {
    const truth = new TopicTruth(GRACE_MS);
    truth.join('ann', 0);
    expect(truth.mayHaveLeft('ann', 10_000)).toBe(false);
    truth.leave('ann', 10_000);
    expect(truth.mayHaveLeft('ann', 11_000)).toBe(false);
    truth.join('ann', 12_000);
    expect(truth.mayHaveLeft('ann', 20_000)).toBe(false);
  });

  it('permits a leave after the grace time, and for some time after a long absence', () => {
    const truth = new TopicTruth(GRACE_MS);
    truth.join('ann', 0);
    truth.leave('ann', 10_000);
    expect(truth.mayHaveLeft('ann', 13_000)).toBe(true);
    truth.join('ann', 14_000);
    expect(truth.mayHaveLeft('ann', 15_000)).toBe(true);
    expect(truth.mayHaveLeft('ann', 60_000)).toBe(false);
  });

  it('permits a leave at once after an unsubscribe', () => {
    const truth = new TopicTruth(GRACE_MS);
    truth.join('ann', 0);
    truth.leave('ann', 10_000, true);
    expect(truth.mayHaveLeft('ann', 10_000)).toBe(true);
  });
});

describe('a watcher', () => {
  const message = (fields: object) => ({ type: 'presence', topic: 'room.a', count: 1, ...fields }) as never;
  const members = (...users: string[]) => users.map((user) => ({ user }));

  it('detects ghosts, missing members and wrong counts', () => {
    const watcher = new Watcher(() => {});
    watcher.take(message({ count: 2, members: members('ann', 'bob') }));
    watcher.take(message({ count: 2, joined: members('eve'), left: members('bob') }));
    expect(watcher.wrongList({ count: 2, users: ['ann', 'eve'] })).toBeUndefined();
    expect(watcher.wrongList({ count: 1, users: ['ann'] })).toContain('too many: eve');
    expect(watcher.wrongList({ count: 3, users: ['ann', 'eve', 'kim'] })).toContain('missing: kim');
    expect(watcher.wrongCount({ count: 2, users: [] })).toBeUndefined();
    expect(watcher.wrongCount({ count: 3, users: [] })).toContain('2 instead of 3');
    expect(watcher.contradictions).toBe(0);
  });

  it('detects who joins twice, or leaves without having joined', () => {
    const left: string[] = [];
    const watcher = new Watcher((user) => void left.push(user));
    watcher.take(message({ members: members('ann') }));
    watcher.take(message({ joined: members('ann') }));
    watcher.take(message({ left: members('bob') }));
    expect(watcher.contradictions).toBe(2);
    expect(left).toEqual(['bob']);
  });
});

describe('the watch on the limit', () => {
  it('measures how long a user has too many connections, except while it is paused', () => {
    const watch = new LimitWatch(2);
    for (const nowMs of [0, 1, 100, 150]) watch.opened('ann', nowMs);
    watch.closed('ann', 400);
    expect(watch.longestMs(500)).toBe(400);
    watch.closed('ann', 600);
    expect(watch.longestMs(9000)).toBe(500);
    watch.pause(true, 9000);
    watch.opened('ann', 9000);
    expect(watch.longestMs(20_000)).toBe(500);
    watch.pause(false, 20_000);
    expect(watch.longestMs(21_000)).toBe(1000);
  });
});
