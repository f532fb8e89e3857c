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
});
