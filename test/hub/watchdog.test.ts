import { describe, expect, it } from 'vitest';
import { type FollowerSample, judgeFollower } from '../../src/hub/watchdog.ts';

const sample = (position: number, lastOffset: number, live = true): FollowerSample => ({ position, lastOffset, live });

describe('the watchdog', () => {
  it('accepts a follower that keeps up, or has made progress since the last check', () => {
    expect(judgeFollower(undefined, sample(10, 10))).toBe('keeps_up');
    expect(judgeFollower(sample(10, 10), sample(10, 10))).toBe('keeps_up');
    expect(judgeFollower(undefined, sample(5, 10))).toBe('lags');
    expect(judgeFollower(sample(5, 10), sample(7, 20))).toBe('lags');
  });

  it('finds one stuck that was behind at the last check and has received nothing since', () => {
    expect(judgeFollower(sample(5, 10), sample(5, 10))).toBe('stuck');
    expect(judgeFollower(sample(5, 10), sample(5, 900))).toBe('stuck');
    // It had everything then: what is missing may be on its way.
    expect(judgeFollower(sample(5, 5), sample(5, 10))).toBe('lags');
  });

  it('leaves one to itself that is at work on getting back', () => {
    expect(judgeFollower(sample(5, 10), sample(5, 10, false))).toBe('resuming');
    expect(judgeFollower(sample(5, 10, false), sample(5, 10))).toBe('lags');
  });

  it('finds one beyond the end only when it stays there: a publication may come between the two questions', () => {
    expect(judgeFollower(undefined, sample(11, 10))).toBe('keeps_up');
    expect(judgeFollower(sample(11, 10), sample(12, 11))).toBe('keeps_up');
    expect(judgeFollower(sample(11, 10), sample(11, 10))).toBe('beyond_end');
    expect(judgeFollower(sample(11, 10), sample(11, 11))).toBe('keeps_up');
  });
});
