import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAnchored } from '../../src/bus/nats/anchor.ts';

interface Stored {
  readonly offset: number;
  readonly topic: string;
  readonly subject: string;
}

/** A log as JetStream keeps it: so many per subject, and now and then the oldest go for age or size. */
class ModelLog {
  kept: Stored[] = [];
  removed: Stored[] = [];
  last = 0;
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  publish(topic: string, key: string): void {
    const subject = `${topic}.${key}`;
    this.kept.push({ offset: ++this.last, topic, subject });
    const same = this.kept.filter((each) => each.subject === subject);
    if (same.length > this.#countMax) this.#remove((each) => each === same[0]);
  }

  expire(count: number): void {
    const gone = new Set(this.kept.slice(0, count));
    this.#remove((each) => gone.has(each));
  }

  #remove(goes: (each: Stored) => boolean): void {
    this.removed.push(...this.kept.filter(goes));
    this.kept = this.kept.filter((each) => !goes(each));
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ topic: fc.constantFrom('a', 'b'), key: fc.constantFrom('k1', 'k2') }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) },
);

describe('a proof that nothing was removed', () => {
  for (const keyed of [false, true]) {
    it(`is never given falsely, ${keyed ? 'with' : 'without'} keys`, () => {
      let proofs = 0;
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), fc.nat(30), (steps, countMax, after) => {
          const log = new ModelLog(countMax);
          for (const each of steps) {
            if (typeof each === 'number') log.expire(each);
            else log.publish(each.topic, keyed ? each.key : '');
          }
          const proven = isAnchored({
            after,
            keyed,
            anchorKept: log.kept.some(({ offset, topic }) => offset === after && topic === 'a'),
            log: {
              firstOffset: log.kept[0]?.offset ?? log.last + 1,
              lastOffset: log.last,
              publicationCount: log.kept.length,
              topicCount: keyed ? undefined : log.kept.filter(({ topic }) => topic === 'a').length,
            },
            countMax,
            ageShare: 0.5,
            replicaCount: 1,
          });
          if (proven) proofs++;
          const missing = log.removed.filter(({ offset, topic }) => topic === 'a' && offset > after);
          if (proven) expect(missing).toEqual([]);
        }),
        { numRuns: 2000 },
      );
      expect(proofs).toBeGreaterThan(100);
    });
  }

  it('is not claimed if replicas may already have removed by age', () => {
    const kept = { after: 5, keyed: false, anchorKept: true, countMax: 10 };
    expect(isAnchored({ ...kept, ageShare: 0.95, replicaCount: 3 })).toBe(false);
    expect(isAnchored({ ...kept, ageShare: 0.85, replicaCount: 3 })).toBe(true);
    expect(isAnchored({ ...kept, ageShare: 0.95, replicaCount: 1 })).toBe(true);
  });
});
