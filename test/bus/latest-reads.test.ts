import { describe, expect, it } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import type { LatestAnswer } from '../../src/bus/nats/latest-read.ts';
import { LatestReads } from '../../src/bus/nats/latest-reads.ts';
import type { Publication } from '../../src/bus/publication.ts';

const TOGETHER_MAX = 256;
const TOGETHER_MIN = 4;
const APART_MS = 60_000;

const publicationOf = (subject: string) => ({ topic: subject }) as unknown as Publication;
const names = (count: number) => Array.from({ length: count }, (_, i) => `s${i}`);
const answerWith = (subjects: readonly string[], leftOut = 0): LatestAnswer => {
  return { kind: 'found', found: new Map(subjects.map((subject) => [subject, publicationOf(subject)])), leftOut };
};

/** @param answer to a request for many */
function setUp(answer: (subjects: readonly string[]) => LatestAnswer) {
  const together: (readonly string[])[] = [];
  const alone: string[] = [];
  const clock = { nowMs: 0 };
  const reads = new LatestReads({
    together: async (subjects) => {
      together.push(subjects);
      return answer(subjects);
    },
    alone: async (subject) => {
      alone.push(subject);
      if (subject === 'bad') throw new BusError('bus_unreachable', 'no');
      return publicationOf(subject);
    },
    nowMs: () => clock.nowMs,
  });
  return { reads, together, alone, clock };
}

describe('the last publications of many subjects', () => {
  it('are asked for by one request for a bounded number of them', async () => {
    const { reads, together, alone } = setUp(answerWith);
    const asked = names(2 * TOGETHER_MAX + 10);
    expect(await reads.read(asked)).toEqual(asked.map(publicationOf));
    expect([together.map(({ length }) => length), alone]).toEqual([[TOGETHER_MAX, TOGETHER_MAX, 10], []]);
  });

  it('are asked for one by one where they are few', async () => {
    const { reads, together, alone } = setUp(answerWith);
    const asked = names(TOGETHER_MIN - 1);
    expect(await reads.read(asked)).toEqual(asked.map(publicationOf));
    expect([together, alone]).toEqual([[], asked]);
  });

  it('do not exist where an answer that left nothing out has none', async () => {
    const { reads, alone } = setUp((subjects) => answerWith(subjects.slice(1)));
    expect((await reads.read(names(5)))[0]).toBeUndefined();
    expect(alone).toEqual([]);
  });

  it('are asked for again where an answer had no room for them', async () => {
    const { reads, together, alone } = setUp((subjects) => answerWith(subjects.slice(0, 2), Math.max(0, subjects.length - 2)));
    const asked = names(7);
    expect(await reads.read(asked)).toEqual(asked.map(publicationOf));
    expect([together.map(({ length }) => length), alone]).toEqual([[7, 5, 3, 1], []]);
  });

  it('are asked for one by one where an answer cannot tell, and together the next time', async () => {
    const { reads, together, alone } = setUp(() => ({ kind: 'unknown' }));
    const asked = names(5);
    for (let n = 0; n < 2; n++) expect(await reads.read(asked)).toEqual(asked.map(publicationOf));
    expect([together.length, alone]).toEqual([2, [...asked, ...asked]]);
  });

  it('are asked for one by one for some time once many are refused', async () => {
    const { reads, together, alone, clock } = setUp(() => ({ kind: 'refused' }));
    for (const nowMs of [0, APART_MS - 1, APART_MS]) {
      clock.nowMs = nowMs;
      expect(await reads.read(names(5))).toHaveLength(5);
    }
    expect([together.length, alone.length]).toEqual([2, 15]);
  });

  it('fail with what one of them fails with', async () => {
    const { reads } = setUp(() => ({ kind: 'unknown' }));
    await expect(reads.read([...names(5), 'bad'])).rejects.toMatchObject({ code: 'bus_unreachable' });
  });
});
