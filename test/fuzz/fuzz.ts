import { seededRandom } from '../../src/demo/random.ts';
import { seedOf } from '../support/seed.ts';
import { type Point, slope } from '../support/slope.ts';
import { config, link, messages } from './decoders.ts';
import { api, frames } from './sockets.ts';
import type { Target } from './target.ts';

export const TARGETS = {
  json: (seed: number) => messages('json', seed),
  msgpack: (seed: number) => messages('msgpack', seed),
  link,
  config,
  frames,
  api,
} satisfies Record<string, (seed: number) => Target | Promise<Target>>;

export type TargetName = keyof typeof TARGETS;

export interface FuzzOptions {
  readonly seed: number;
  readonly count: number;
  /** The number of the first input. */
  readonly from?: number;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly seconds: number;
  readonly memoryBytes: number;
  /** Growth of memory in use in the second half of the inputs. */
  readonly bytesPerThousand: number;
}

const SAMPLES = 20;
/** Shorter runs do not stop for collections of garbage. */
const MEASURED_COUNT_MIN = 10_000;
const SHOWN_BYTES = 400;

/** Gives a target its inputs. @throws Error that names the seed and the number of the input that was not handled as documented */
export async function fuzz(target: Target, { seed, count, from = 0 }: FuzzOptions): Promise<FuzzResult> {
  const startMs = performance.now();
  const samples: Point[] = [];
  const every = count < MEASURED_COUNT_MIN ? Number.POSITIVE_INFINITY : Math.floor(count / SAMPLES);
  let next = from;
  const give = async () => {
    while (next < from + count) {
      const index = next++;
      const input = target.input(seededRandom(seedOf(seed, `${target.name} ${index}`)));
      try {
        const given = target.give(input);
        if (given !== undefined) await given;
      } catch (cause) {
        next = Number.POSITIVE_INFINITY;
        const hex = Buffer.from(input.subarray(0, SHOWN_BYTES)).toString('hex');
        const again = `npm run fuzz -- ${target.name} --seed ${seed} --from ${index} --count 1`;
        throw new Error(`input ${index}: ${String(cause)}\n${hex}\nagain: ${again}`, { cause });
      }
      if (index > 0 && index % every === 0) samples.push({ x: index, y: await target.memory() });
    }
  };
  await Promise.all(Array.from({ length: target.parallel }, give));
  await target.check();
  const late = samples.slice(samples.length >> 1);
  return {
    inputs: count,
    seconds: (performance.now() - startMs) / 1000,
    memoryBytes: samples.at(-1)?.y ?? 0,
    bytesPerThousand: slope(late) * 1000,
  };
}
