import { parseArgs } from 'node:util';
import { chosenSeed } from '../support/seed.ts';
import { fuzz, TARGETS, type TargetName } from './fuzz.ts';

const USAGE = `npm run fuzz -- [targets] [--count N] [--seed S] [--from I]

Prints a line for each target; exits with 1 at the first input that is not handled. Targets (default: all): ${Object.keys(TARGETS).join(', ')}`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit();
}
const seed = values.seed === undefined ? chosenSeed() : Number(values.seed);
console.log(`SEED=${seed}`);
const names = Object.keys(TARGETS) as TargetName[];
for (const asked of positionals.length === 0 ? names : positionals) {
  const name = names.find((each) => each === asked);
  if (name === undefined) throw new Error(`no target ${asked}: ${names.join(', ')}`);
  const target = await TARGETS[name](seed);
  try {
    const { inputs, seconds, memoryBytes, bytesPerThousand } = await fuzz(target, {
      seed,
      count: Number(values.count),
      from: Number(values.from),
    });
    const rate = Math.round(inputs / seconds);
    console.log(
      `${name}: ${inputs} inputs in ${seconds.toFixed(0)} s (${rate}/s), 0 unhandled; memory ${(memoryBytes / 2 ** 20).toFixed(0)} MiB, ${Math.round(bytesPerThousand)} bytes more for each 1,000 inputs of the second half`,
    );
  } finally {
    await target.stop();
  }
}
