import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARY = '/usr/lib/*/faketime/libfaketimeMT.so.1';
/** Moves Date in a process and, by the environment, in its children. What libfaketime does, without it; timers run on the monotonic clock either way. */
const SHIM = join(import.meta.dirname, 'shift-date.mjs');

export interface SkewedClock {
  readonly env: Readonly<Record<string, string>>;
  readonly how: string;
}

/** An environment in which a process's wall clock is off by so much. */
export function skewedClock(skewMs: number): SkewedClock {
  const library = find() ?? install();
  if (library === undefined) {
    return {
      env: { NODE_OPTIONS: `--import=${SHIM}`, SHIFT_DATE_MS: String(skewMs) },
      how: 'a shim of Date: libfaketime is not to be had',
    };
  }
  const seconds = skewMs / 1000;
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME: `${seconds < 0 ? '' : '+'}${seconds}s`,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    how: 'libfaketime',
  };
}

function find(): string | undefined {
  const folders = spawnSync('sh', ['-c', `ls ${LIBRARY} 2>/dev/null`], { encoding: 'utf8' }).stdout.trim();
  const [first = ''] = folders.split('\n');
  return existsSync(first) ? first : undefined;
}

function install(): string | undefined {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return undefined;
  console.error('getting libfaketime by apt-get install, once');
  spawnSync('apt-get', ['update'], { stdio: 'ignore', timeout: 300_000 });
  spawnSync('apt-get', ['install', '-y', 'libfaketime'], { stdio: 'ignore', timeout: 300_000 });
  return find();
}
