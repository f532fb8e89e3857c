import type { Random } from '../../src/demo/random.ts';

/** The variable that runs tests and fault runs again with the random choices that they had. */
const VARIABLE = 'SEED';
const SEEDS = 2 ** 31;

/** $SEED, or a new one, which processes that are started from here get too. @throws TypeError when $SEED is not a whole number from 0 up */
export function chosenSeed(): number {
  process.env[VARIABLE] ??= String(Math.floor(Math.random() * SEEDS));
  const text = process.env[VARIABLE];
  const seed = text === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new TypeError(`${VARIABLE} is a whole number from 0 up, not "${text}"`);
  return seed;
}

/** Another seed for each name, so that a test makes the same choices whether it runs alone or with others. */
export function seedOf(seed: number, name: string): number {
  let hash = seed >>> 0;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

/**
 * From now on, `Math.random` of this process gives the numbers of this seed: the choices of tests, and the jitter of what they test.
 *
 * All 53 bits of a double are random, as in V8. The NATS client takes the name of each request from it: with 32 bits two of ten thousand requests in flight
 * have the same name now and then, and one gets the answer of the other.
 */
export function seedMathRandom(seed: number): Random {
  const next = sfc32(seed);
  Math.random = () => ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992;
  return Math.random;
}

/** Has 128 bits of state. @returns a function that gives 32 bits, signed */
function sfc32(seed: number): () => number {
  let [a, b, c, counter] = [seed | 0, Math.floor(seed / 2 ** 32) | 0, 0x2545f491, 1];
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum;
  };
  // Until each bit of the seed has reached all of the state.
  for (let i = 0; i < 16; i++) next();
  return next;
}
