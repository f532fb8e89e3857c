import { type Random, seededRandom } from '../../src/demo/random.ts';

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

/** From now on, `Math.random` of this process gives the numbers of this seed: the choices of tests, and the jitter of what they test. */
export function seedMathRandom(seed: number): Random {
  Math.random = seededRandom(seed);
  return Math.random;
}
