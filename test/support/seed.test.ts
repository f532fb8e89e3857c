import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { chosenSeed, seedMathRandom, seedOf } from './seed.ts';

const draw = () => Array.from({ length: 5 }, () => Math.random());
const given = process.env.SEED;
afterEach(() => {
  process.env.SEED = given;
});

describe('the seed of a test run', () => {
  it('is $SEED, which child processes get', () => {
    process.env.SEED = '42';
    expect(chosenSeed()).toBe(42);
    delete process.env.SEED;
    const seed = chosenSeed();
    expect([process.env.SEED, chosenSeed()]).toEqual([String(seed), seed]);
  });

  it.each(['', 'x', '-1', '1.5'])('is not %j', (text) => {
    process.env.SEED = text;
    expect(chosenSeed).toThrow('SEED is a whole number');
  });

  it('is that of all properties', () => {
    expect(fc.readConfigureGlobal().seed).toBe(chosenSeed());
  });

  it('seeds Math.random of each test with its name', ({ task }) => {
    const before = draw();
    seedMathRandom(seedOf(chosenSeed(), task.fullTestName));
    expect(draw()).toEqual(before);
    seedMathRandom(seedOf(chosenSeed(), `${task.fullTestName}.`));
    expect(draw()).not.toEqual(before);
  });

  it("gives other numbers for each of very many requests: two of the same name would get each other's answers", () => {
    const draws = 300_000;
    seedMathRandom(chosenSeed());
    expect(new Set(Array.from({ length: draws }, () => Math.random())).size).toBe(draws);
  });

  it('gives numbers in [0, 1), evenly', () => {
    seedMathRandom(chosenSeed());
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) tenths[Math.floor(Math.random() * 10)]!++;
    expect(Math.min(...tenths)).toBeGreaterThan(9500);
    expect(Math.max(...tenths)).toBeLessThan(10_500);
  });
});
