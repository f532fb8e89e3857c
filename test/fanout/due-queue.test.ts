import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueQueue } from '../../src/fanout/due-queue.ts';

describe('DueQueue', () => {
  it('is empty at first', () => {
    const queue = new DueQueue<string>();
    expect(queue).toMatchObject({ size: 0, nextDueAtMs: undefined });
    expect(queue.takeDue(Number.MAX_VALUE)).toEqual([]);
  });

  it('hands out what is due, at the moment exactly, first due first', () => {
    const queue = new DueQueue<string>();
    queue.add(30, 'c');
    queue.add(10, 'a');
    queue.add(20, 'b');
    expect(queue.nextDueAtMs).toBe(10);
    expect(queue.takeDue(9.9)).toEqual([]);
    expect(queue.takeDue(20)).toEqual(['a', 'b']);
    expect(queue).toMatchObject({ size: 1, nextDueAtMs: 30 });
  });

  it('agrees with a sorted list, whatever is added and taken', () => {
    const step = fc.oneof(fc.record({ add: fc.nat(100) }), fc.record({ take: fc.nat(100) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new DueQueue<number>();
        let model: number[] = [];
        for (const one of steps) {
          if ('add' in one) {
            queue.add(one.add, one.add);
            model.push(one.add);
          } else {
            expect(queue.takeDue(one.take)).toEqual(model.filter((due) => due <= one.take).sort((a, b) => a - b));
            model = model.filter((due) => due > one.take);
          }
          expect(queue.size).toBe(model.length);
          expect(queue.nextDueAtMs).toBe(model.length === 0 ? undefined : Math.min(...model));
        }
      }),
    );
  });
});
