import { describe, expect, it } from 'vitest';
import { RATE_CLASSES_HZ, rateClassFor } from '../../src/fanout/rate-class.ts';

describe('rateClassFor', () => {
  it('grants the highest class that is not above the wish, from 0.1 to 100 Hz', () => {
    const wishes = [0.1, 0.19, 0.2, 0.7, 3, 20, 49.9, 50, 99, 100, 1000];
    expect(wishes.map(rateClassFor)).toEqual([0.1, 0.1, 0.2, 0.5, 2, 20, 20, 50, 50, 100, 100]);
  });

  it('grants the slowest class for lower wishes', () => {
    expect(rateClassFor(0.01)).toBe(0.1);
  });

  it('has few classes, so that clients share the encoding', () => {
    expect(RATE_CLASSES_HZ.length).toBeLessThanOrEqual(10);
    for (const rate of RATE_CLASSES_HZ) expect(rateClassFor(rate)).toBe(rate);
  });
});
