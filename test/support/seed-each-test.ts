import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { beforeEach, expect } from 'vitest';
import { chosenSeed, seedMathRandom, seedOf } from './seed.ts';

const seed = chosenSeed();
const file = expect.getState().testPath as string;

// fast-check takes 50 ms to load, so only where it is used.
if (readFileSync(file, 'utf8').includes("'fast-check'")) (await import('fast-check')).default.configureGlobal({ seed });

beforeEach(({ task, onTestFailed }) => {
  seedMathRandom(seedOf(seed, task.fullTestName));
  onTestFailed(() => {
    // Vitest takes the name as a regular expression.
    const name = task.name.replace(/[^\p{L}\p{N} _,:;-]/gu, '.');
    console.error(`again with the same random choices: SEED=${seed} npx vitest run ${relative(process.cwd(), file)} -t '${name}'`);
  });
});
