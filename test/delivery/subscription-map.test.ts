import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Subscription } from '../../src/delivery/subscription.ts';
import { SubscriptionMap } from '../../src/delivery/subscription-map.ts';
import type { Topic } from '../../src/protocol/topic.ts';

describe('SubscriptionMap', () => {
  it('agrees with a Map, for any sequence of set, delete and clear', () => {
    const topic = fc.constantFrom('a', 'b', 'c') as fc.Arbitrary<Topic>;
    const step = fc.oneof(fc.record({ set: topic }), fc.record({ set: topic }), fc.record({ remove: topic }), fc.constant({ clear: true }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const map = new SubscriptionMap();
        const model = new Map<Topic, Subscription>();
        for (const one of steps) {
          if ('set' in one) {
            const subscription: Subscription = { kind: 'pending' };
            map.set(one.set, subscription);
            model.set(one.set, subscription);
          } else if ('remove' in one) {
            expect(map.delete(one.remove)).toBe(model.delete(one.remove));
          } else {
            map.clear();
            model.clear();
          }
          expect(map.size).toBe(model.size);
          expect([...map]).toEqual([...model]);
          expect([...map.keys()]).toEqual([...model.keys()]);
          expect([...map.values()]).toEqual([...model.values()]);
          for (const name of ['a', 'b', 'c'] as Topic[]) {
            expect(map.get(name)).toBe(model.get(name));
            expect(map.has(name)).toBe(model.has(name));
          }
        }
      }),
    );
  });
});
