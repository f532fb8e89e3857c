import { describe, expect, it } from 'vitest';
import { AwayJudge } from '../../src/hub/away-judge.ts';

const LIVE = { live: true, connected: true };
const STUCK = { live: false, connected: true };
const CUT = { live: false, connected: false };

describe('AwayJudge', () => {
  it('says away once, when the grace is over, and live once', () => {
    const judge = new AwayJudge(100);
    expect(judge.look(LIVE, 0)).toBeUndefined();
    expect(judge.look(STUCK, 10)).toBeUndefined();
    expect(judge.look(STUCK, 109)).toBeUndefined();
    expect(judge.look(STUCK, 110)).toBe('away');
    expect(judge.look(STUCK, 500)).toBeUndefined();
    expect(judge.look(LIVE, 501)).toBe('live');
    expect(judge.look(LIVE, 502)).toBeUndefined();
  });

  it('starts to count again after it was live in between', () => {
    const judge = new AwayJudge(100);
    judge.look(STUCK, 0);
    judge.look(LIVE, 99);
    expect(judge.look(STUCK, 100)).toBeUndefined();
    expect(judge.look(STUCK, 199)).toBeUndefined();
    expect(judge.look(STUCK, 200)).toBe('away');
  });

  it('does not count while the bus is not connected: all clients know that already', () => {
    const judge = new AwayJudge(100);
    judge.look(CUT, 0);
    expect(judge.look(CUT, 1000)).toBeUndefined();
    expect(judge.look(STUCK, 1001)).toBeUndefined();
    expect(judge.look(STUCK, 1100)).toBeUndefined();
    expect(judge.look(STUCK, 1101)).toBe('away');
  });

  it('reports live after a cut too, if it had reported away before', () => {
    const judge = new AwayJudge(100);
    judge.look(STUCK, 0);
    expect(judge.look(STUCK, 100)).toBe('away');
    expect(judge.look(CUT, 200)).toBeUndefined();
    expect(judge.look(LIVE, 300)).toBe('live');
  });
});
