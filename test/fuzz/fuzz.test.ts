import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/demo/random.ts';
import { chosenSeed } from '../support/seed.ts';
import { fuzz, TARGETS } from './fuzz.ts';

const SEED = chosenSeed();
/** A short run; `npm run fuzz` is the long one. */
const COUNTS: Readonly<Record<keyof typeof TARGETS, number>> = {
  json: 5000,
  msgpack: 5000,
  link: 5000,
  config: 100,
  frames: 300,
  api: 300,
};

describe.each(Object.entries(TARGETS))('%s', (name, make) => {
  it('handles every input as documented', async () => {
    const target = await make(SEED);
    try {
      expect(await fuzz(target, { seed: SEED, count: COUNTS[name] as number })).toMatchObject({ inputs: COUNTS[name] });
    } finally {
      await target.stop();
    }
  });
});

describe('the fuzzer', () => {
  it('makes the same input of the same number, and names the one that was not handled', async () => {
    const target = await (TARGETS.json as (typeof TARGETS)[string])(7);
    const input = () => Buffer.from(target.input(seededRandom(3))).toString('hex');
    expect(input()).toBe(input());
    let given = 0;
    const fragile = {
      ...target,
      give: () => {
        if (given++ === 41) throw new TypeError('boom');
      },
    };
    await expect(fuzz(fragile, { seed: 7, count: 100 })).rejects.toThrow(
      /^input 41: TypeError: boom[\s\S]*npm run fuzz -- json --seed 7 --from 41 --count 1$/,
    );
  });
});
