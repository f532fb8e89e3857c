import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InOrder } from '../../src/hooks/in-order.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('decisions in order', () => {
  it('have their effects in the order in which they began, whenever and however they are taken', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean(), rank: fc.nat() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const order = new InOrder();
        const effects: { key: string; n: number }[] = [];
        const settle: (() => void)[] = [];
        const outcomes = steps.map(({ key, fails }, n) => {
          const decision = new Promise<number>((resolve, reject) => {
            settle[n] = () => (fails ? reject(new Error(`${n}`)) : resolve(n));
          });
          return order.run(key, decision, (decided) => {
            effects.push({ key, n: decided });
            return decided;
          });
        });
        const done = Promise.allSettled(outcomes);
        const sequence = steps.map(({ rank }, n) => ({ rank, n })).sort((one, other) => one.rank - other.rank);
        for (const { n } of sequence) {
          settle[n]?.();
          await turn();
        }
        const results = await done;
        for (const [n, { fails }] of steps.entries()) expect(results[n]?.status).toBe(fails ? 'rejected' : 'fulfilled');
        for (const key of ['a', 'b', 'c']) {
          const expected = steps.flatMap((each, n) => (each.key === key && !each.fails ? [n] : []));
          expect(effects.filter((effect) => effect.key === key).map(({ n }) => n)).toEqual(expected);
        }
        expect(order.size).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('hold up nothing with another key, and only the start of an effect is in order', async () => {
    const order = new InOrder();
    void order.run('slow', new Promise(() => undefined), () => undefined);
    expect(await order.run('other', Promise.resolve(1), (n) => n)).toBe(1);
    // An effect that takes for ever, as a publish that waits for the log.
    void order.run('same', Promise.resolve(1), () => new Promise(() => undefined));
    expect(await order.run('same', Promise.resolve(2), (n) => n)).toBe(2);
    expect(order.size).toBe(1);
  });
});
