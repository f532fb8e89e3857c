import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

/**
 * Below Linux's ephemeral ports: what is to listen there, or to find its port again after it was away, must not meet a client's socket on it. A client of a
 * port in that range can even connect to itself, while nobody listens.
 */
const FIRST = 15_000;
const LAST = 32_000;
/** Each of Vitest's workers has a part of the range: between the choice and the listening there may be a second, in which another test chooses, too. */
const PARTS = 8;
const TRIES_MAX = 1000;
const taken = new Set<number>();

/**
 * A port that is free, and that no outgoing connection will take. Not of the run's seed: two runs at once must not try the same ports. Which ones are in use is
 * read in /proc; where there is none, the choice is blind.
 */
export function freePort(): number {
  const inUse = portsInUse();
  const [first, last] = rangeOf(process.env.VITEST_POOL_ID);
  for (let i = 0; i < TRIES_MAX; i++) {
    const port = randomInt(first, last);
    if (taken.has(port) || inUse.has(port)) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port between ${first} and ${last} in ${TRIES_MAX} tries`);
}

function rangeOf(worker: string | undefined): readonly [first: number, last: number] {
  if (worker === undefined) return [FIRST, LAST];
  const size = Math.floor((LAST - FIRST) / PARTS);
  const first = FIRST + (Number(worker) % PARTS) * size;
  return [first, first + size];
}

/** The local ports of all sockets. */
function portsInUse(): Set<number> {
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].filter(existsSync).flatMap((file) => readFileSync(file, 'latin1').split('\n').slice(1));
  return new Set(lines.map((line) => Number.parseInt(/^ *\d+: [\dA-F]+:([\dA-F]{4}) /.exec(line)?.[1] ?? '0', 16)));
}
