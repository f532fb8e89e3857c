import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PublishQueue, type PublishQueueOptions } from '../../src/client/publish-queue.ts';

const OPTIONS: PublishQueueOptions = { queueMax: 4, onFull: 'reject', budgetMs: 60_000, inFlightMax: 2 };
const publish = (id: number) => ({ id, frame: new Uint8Array() });

function queueOf(ids: readonly number[], options: Partial<PublishQueueOptions> = {}): PublishQueue<ReturnType<typeof publish>> {
  const queue = new PublishQueue<ReturnType<typeof publish>>({ ...OPTIONS, ...options });
  for (const id of ids) expect(queue.add(publish(id), 0).kind).toBe('queued');
  return queue;
}

const ids = (publishes: readonly { id: number }[]) => publishes.map(({ id }) => id);

describe('a publish queue', () => {
  it('returns waiting publishes in order, up to a limit, and the next when one is answered', () => {
    const queue = queueOf([1, 2, 3]);
    expect(ids(queue.takeDue(0))).toEqual([1, 2]);
    expect(queue.takeDue(0)).toEqual([]);
    expect(queue.settle(1)).toMatchObject({ id: 1 });
    expect(queue.settle(1)).toBeUndefined();
    expect(ids(queue.takeDue(0))).toEqual([3]);
    expect(queue.size).toBe(2);
  });

  it('sends everything unanswered again after a reconnect, in the same order', () => {
    const queue = queueOf([1, 2, 3]);
    queue.takeDue(0);
    queue.settle(1);
    queue.takeDue(0);
    queue.allUnanswered();
    expect(ids(queue.takeDue(10))).toEqual([2, 3]);
  });

  it('refuses one above its limit', () => {
    expect(queueOf([1, 2, 3, 4]).add(publish(5), 0)).toEqual({ kind: 'full' });
  });

  it('drops the oldest unsent one, with that policy', () => {
    const queue = queueOf([1, 2, 3, 4], { onFull: 'dropOldest' });
    queue.takeDue(0);
    expect(queue.add(publish(5), 0)).toMatchObject({ kind: 'queued', dropped: { id: 3 } });
    expect(queue.size).toBe(4);
    // What may be stored is never let go, even when it waits to be sent again.
    queue.allUnanswered();
    expect(queue.add(publish(6), 0)).toMatchObject({ dropped: { id: 4 } });
    expect(queue.add(publish(7), 0)).toMatchObject({ dropped: { id: 5 } });
    expect(queue.add(publish(8), 0)).toMatchObject({ dropped: { id: 6 } });
    expect(ids(queue.takeDue(0))).toEqual([1, 2]);
    queue.takeDue(0);
  });

  it('refuses when everything in it may be stored already', () => {
    const queue = queueOf([1, 2], { queueMax: 2, onFull: 'dropOldest' });
    queue.takeDue(0);
    expect(queue.add(publish(3), 0)).toEqual({ kind: 'full' });
  });

  it('sends nothing after one that was refused for now, until its pause is over', () => {
    const queue = queueOf([1, 2, 3], { inFlightMax: 1 });
    queue.takeDue(0);
    queue.refused(1, 250, false, 100);
    expect(queue.takeDue(349)).toEqual([]);
    expect(queue.nextAtMs(100)).toBe(350);
    expect(ids(queue.takeDue(350))).toEqual([1]);
  });

  it('knows the outcome of each when its time budget is over', () => {
    const queue = queueOf([1, 2, 3, 4], { inFlightMax: 3 });
    queue.takeDue(0);
    queue.refused(1, 0, false, 0);
    queue.refused(2, 0, true, 0);
    expect(queue.takeExpired(59_999)).toEqual([]);
    expect(queue.takeExpired(60_000).map(({ publish, mayBeStored }) => [publish.id, mayBeStored])).toEqual([
      [1, false],
      [2, true],
      [3, true],
      [4, false],
    ]);
    expect(queue.size).toBe(0);
    expect(queue.nextAtMs(60_000)).toBeUndefined();
  });

  it('does not forget that an earlier try may have been stored when a later one was refused', () => {
    const queue = queueOf([1]);
    queue.takeDue(0);
    queue.allUnanswered();
    queue.takeDue(0);
    queue.refused(1, 0, false, 0);
    expect(queue.takeAll()).toMatchObject([{ mayBeStored: true }]);
  });

  it('loses nothing, duplicates nothing and keeps the order, for any sequence of answers, refusals and disconnects', () => {
    const action = fc.oneof(
      fc.constantFrom('add', 'take', 'cut'),
      fc.record({ settle: fc.nat(5) }),
      fc.record({ refuse: fc.nat(5), stored: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), fc.integer({ min: 1, max: 5 }), (actions, inFlightMax) => {
        const queue = queueOf([], { queueMax: 20, inFlightMax });
        const waiting: number[] = [];
        let inFlight: number[] = [];
        let nextId = 1;
        for (const one of actions) {
          if (one === 'add') {
            const { kind } = queue.add(publish(nextId), 0);
            expect(kind).toBe(waiting.length < 20 ? 'queued' : 'full');
            if (kind === 'queued') waiting.push(nextId);
            nextId++;
          } else if (one === 'take') {
            const taken = ids(queue.takeDue(0));
            expect(taken).toEqual(waiting.filter((id) => !inFlight.includes(id)).slice(0, inFlightMax - inFlight.length));
            inFlight.push(...taken);
          } else if (one === 'cut') {
            queue.allUnanswered();
            inFlight = [];
          } else {
            const id = inFlight['settle' in one ? one.settle : one.refuse];
            if (id === undefined) continue;
            inFlight = inFlight.filter((other) => other !== id);
            if ('settle' in one) {
              expect(queue.settle(id)).toMatchObject({ id });
              waiting.splice(waiting.indexOf(id), 1);
            } else queue.refused(id, 0, one.stored, 0);
          }
          expect(queue.size).toBe(waiting.length);
        }
      }),
    );
  });
});
