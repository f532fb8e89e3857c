import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBudget, type Release } from '../../src/link/byte-budget.ts';

describe('ByteBudget', () => {
  it('starts what fits, and lets the rest wait in order', async () => {
    const budget = new ByteBudget(100, 10);
    const started: string[] = [];
    const take = async (name: string, bytes: number): Promise<Release> => {
      const release = await budget.take(bytes);
      started.push(name);
      return release as Release;
    };
    const [first, second] = [await take('a', 60), await take('b', 40)];
    const third = take('c', 70);
    // Small enough, but not out of turn.
    const fourth = take('d', 1);
    first();
    await Promise.resolve();
    expect([started, budget.waiting, budget.bytes]).toEqual([['a', 'b'], 2, 40]);
    second();
    await Promise.all([third, fourth]);
    expect([started, budget.waiting, budget.bytes]).toEqual([['a', 'b', 'c', 'd'], 0, 71]);
  });

  it('refuses requests above the limit of waiting ones', async () => {
    const budget = new ByteBudget(10, 1);
    const release = (await budget.take(10)) as Release;
    const waiting = budget.take(1);
    expect(budget.take(1)).toBeUndefined();
    release();
    expect(await waiting).toBeDefined();
  });

  it('starts a request larger than the whole budget alone', async () => {
    const budget = new ByteBudget(10, 5);
    const release = (await budget.take(1000)) as Release;
    expect(budget.bytes).toBe(10);
    const next = budget.take(1);
    release();
    // Twice is once.
    release();
    expect(await next).toBeDefined();
    expect(budget.bytes).toBe(1);
  });

  it('never lends more than it has, and serves everybody', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 40 }), async (sizes) => {
        const budget = new ByteBudget(10, 1000);
        let served = 0;
        await Promise.all(
          sizes.map(async (bytes) => {
            const release = (await budget.take(bytes)) as Release;
            expect(budget.bytes).toBeLessThanOrEqual(10);
            await new Promise((resolve) => setImmediate(resolve));
            served++;
            release();
          }),
        );
        expect([served, budget.bytes, budget.waiting]).toEqual([sizes.length, 0, 0]);
      }),
    );
  });
});
