import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { natsServerBinary } from './nats-binary.ts';
import { chosenSeed } from './seed.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Once before all tests: what they need is found, got or built here, so that a missing piece fails the whole run with one clear error. */
export default function setup(): void {
  console.log(`random choices of this run: SEED=${chosenSeed()}`);
  process.env.NATS_SERVER = natsServerBinary();
  // Tests of processes run what users run, the build; `npm test` has just made it, `vitest` alone may find none.
  if (existsSync(resolve(ROOT, 'dist/cli/main.js'))) return;
  const { status } = spawnSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) console.warn('the build failed: tests that run it will fail');
}
