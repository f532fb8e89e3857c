import fc from 'fast-check';
import { chosenSeed } from './seed.ts';
import { SimulatedNode, type SimulatedNodeOptions } from './simulated-node.ts';
import { performStep, type SimulatedStep } from './simulated-steps.ts';

export interface Simulation {
  readonly step: fc.Arbitrary<SimulatedStep>;
  /** Fewest and most steps of a run. */
  readonly steps: readonly [minLength: number, maxLength: number];
  /** `$RUNS` takes its place. */
  readonly runs: number;
  readonly node: Omit<SimulatedNodeOptions, 'delays' | 'slow'>;
  /** Before the first step. */
  begin?(node: SimulatedNode): void | Promise<void>;
  /** Must hold after every step. */
  check(node: SimulatedNode): void;
  /** Must hold once everybody has had everything. */
  checkEnd(node: SimulatedNode): void;
}

/** Any steps, with any delays of the log, on a node whose clients read slowly. With `$SHRINK` it looks for the fewest steps that fail. */
export async function simulate({
  step,
  steps: [minLength, maxLength],
  runs,
  node: options,
  begin,
  check,
  checkEnd,
}: Simulation): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength, maxLength, size: 'max' }),
      fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
      async (steps, delays) => {
        const node = new SimulatedNode({ ...options, delays, slow: true });
        try {
          await begin?.(node);
          for (const each of steps) {
            await performStep(node, each);
            check(node);
          }
          await node.settle();
          check(node);
          checkEnd(node);
        } finally {
          await node.stop();
        }
      },
    ),
    // The file of the test does not name fast-check, so `seed-each-test.ts` has not given it the seed.
    { seed: chosenSeed(), numRuns: Number(process.env.RUNS ?? runs), endOnFailure: process.env.SHRINK === undefined, timeout: 20_000 },
  );
}

/** How values came, so that a test can tell that it has seen all ways. */
export class SeenValues {
  patches = 0;
  pairs = 0;
  wholes = 0;

  add(node: SimulatedNode): void {
    for (const client of node.clients) {
      for (const { patches, pairs, wholes } of client.values.values()) {
        this.patches += patches;
        this.pairs += pairs;
        this.wholes += wholes;
      }
    }
  }
}
