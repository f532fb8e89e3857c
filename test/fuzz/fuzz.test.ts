import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/demo/random.ts';
import { chosenSeed } from '../support/seed.ts';
import { fuzz, TARGETS, type TargetName } from './fuzz.ts';

const SEED = chosenSeed();
/** A short run; `npm run fuzz` is the long one. */
const COUNTS: Readonly<Record<TargetName, number>> = {
  json: 5000,
  msgpack: 5000,
  link: 5000,
  config: 100,
  frames: 300,
  api: 300,
};

describe.each(Object.keys(TARGETS) as TargetName[])('%s', (name) => {
  it('handles every input as documented', async () => {
    const target = await TARGETS[name](SEED);
    try {
      expect(await fuzz(target, { seed: SEED, count: COUNTS[name] })).toMatchObject({ inputs: COUNTS[name] });
    } finally {
      await target.stop();
    }
  });
});

describe('the fuzzer', () => {
  it('makes the same input of the same number, and names the one that was not handled', async () => {
    const target = TARGETS.json(7);
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
