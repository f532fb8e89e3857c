import { describe, expect, it } from 'vitest';
import { InterestJudge, type InterestVerdict } from '../../src/bus/nats/interest-judge.ts';

const BOUNDS = { filterTopicsMax: 100, filterAbovePerSecond: 1000 };

/** One look a second, at rates of all publications and of the wanted ones. */
function looks(judge = new InterestJudge(BOUNDS)) {
  let [nowMs, position, received] = [0, 0, 0];
  return (all: number, wanted: number, topicCount: number, filteredTopics?: number): InterestVerdict => {
    nowMs += 1000;
    position += all;
    received += wanted;
    return judge.judge({ nowMs, position, received, topicCount, filteredTopics });
  };
}

describe('whether topics are asked for by name', () => {
  it('is decided by two looks in a row at many publications of other topics', () => {
    const look = looks();
    expect([look(9000, 10, 5), look(9000, 10, 5), look(900, 10, 5), look(9000, 10, 5), look(9000, 10, 5)]).toEqual([
      'keep',
      'keep',
      'keep',
      'keep',
      'filter',
    ]);
  });

  it('is not decided where most of the namespace is wanted, where too many topics are, or none', () => {
    for (const [all, wanted, topics] of [
      [9000, 5000, 5],
      [9000, 10, 101],
      [9000, 0, 0],
      [1000, 10, 5],
    ] as const) {
      const look = looks();
      expect(Array.from({ length: 9 }, () => look(all, wanted, topics))).toEqual(Array(9).fill('keep'));
    }
  });

  it('ends at the bound at once, and after ten looks at few publications of other topics', () => {
    const look = looks();
    expect([look(9000, 10, 5, 5), look(9000, 10, 101, 5)]).toEqual(['keep', 'whole']);
    const calm = looks();
    const verdicts = Array.from({ length: 11 }, () => calm(200, 10, 5, 5));
    expect(verdicts.indexOf('whole')).toBe(10);
  });

  it('is renewed when many of the topics are not wanted any more', () => {
    const look = looks();
    expect([look(9000, 10, 80, 100), look(9000, 10, 75, 100), look(9000, 10, 74, 100)]).toEqual(['keep', 'keep', 'renew']);
  });
});
