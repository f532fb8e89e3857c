import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below Linux's ephemeral ports: a server that is away for a while must find its port again, not a client's socket on it. */
const FIRST = 15_000;
const LAST = 32_000;
const TRIES_MAX = 100;
const taken = new Set<number>();

/** A port on loopback that is free, and that no outgoing connection will take. Not of the run's seed: two runs at once must not try the same ports. */
export async function fixedPort(): Promise<number> {
  for (let i = 0; i < TRIES_MAX; i++) {
    const port = randomInt(FIRST, LAST);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port between ${FIRST} and ${LAST} in ${TRIES_MAX} tries`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
  try {
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
