import fc from 'fast-check';
import { expect, it } from 'vitest';
import { provenOfMany } from '../../src/bus/nats/anchor.ts';

/** A stream that removes by count for each subject, and by its total size. */
class Stream {
  readonly all: { readonly offset: number; readonly subject: string }[] = [];
  kept: { readonly offset: number; readonly subject: string }[] = [];
  lastOffset = 0;
  readonly #countMax: number;
  readonly #totalMax: number;

  constructor(countMax: number, totalMax: number) {
    this.#countMax = countMax;
    this.#totalMax = totalMax;
  }

  append(subject: string): void {
    const entry = { offset: ++this.lastOffset, subject };
    this.all.push(entry);
    this.kept.push(entry);
    const same = this.kept.filter((other) => other.subject === subject);
    if (same.length > this.#countMax) this.kept = this.kept.filter((other) => other !== same[0]);
    while (this.kept.length > this.#totalMax) this.kept.shift();
  }

  get state() {
    return { firstOffset: this.kept[0]?.offset ?? this.lastOffset + 1, lastOffset: this.lastOffset, publicationCount: this.kept.length };
  }
}

const subjects = fc.constantFrom('a', 'b', 'c', 'other');

it('what is proven of a pattern is all there, whatever was removed before and during the read', () => {
  let proofs = 0;
  fc.assert(
    fc.property(
      fc.array(subjects, { maxLength: 40 }),
      fc.array(fc.array(subjects, { maxLength: 2 }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 5, max: 50 }),
      fc.nat(40),
      fc.integer({ min: 1, max: 40 }),
      (before, during, countMax, totalMax, after, limit) => {
        const stream = new Stream(countMax, totalMax);
        for (const subject of before) stream.append(subject);
        // Reads one after the other, while others publish.
        const endOffset = stream.lastOffset;
        const read = new Map<string, number[]>();
        const got: number[] = [];
        let readUpTo = after;
        let more = false;
        for (let turn = 0, at = after; ; turn++) {
          const next = stream.kept.find(({ offset, subject }) => offset > at && offset <= endOffset && subject !== 'other');
          if (next === undefined) break;
          if (got.length === limit) {
            more = true;
            break;
          }
          at = next.offset;
          readUpTo = at;
          got.push(at);
          read.set(next.subject, [...(read.get(next.subject) ?? []), at]);
          for (const subject of during[turn] ?? []) stream.append(subject);
        }
        if (!more) readUpTo = Math.max(readUpTo, endOffset);
        const evidence = { after, readUpTo, offsets: read.values(), log: stream.state, countMax, ageShare: 0, replicaCount: 1 };
        const proven = provenOfMany(evidence);
        if (proven === undefined) return;
        if (proven < readUpTo) proofs++;
        const expected = stream.all.filter(
          ({ offset, subject }) => offset > proven && offset <= Math.min(readUpTo, endOffset) && subject !== 'other',
        );
        expect(got.filter((offset) => offset > proven)).toEqual(expected.map(({ offset }) => offset));
      },
    ),
    { numRuns: 3000 },
  );
  expect(proofs).toBeGreaterThan(100);
});
