import { setTimeout as sleep } from 'node:timers/promises';
import { processTree } from '../core/proc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { leastPrivateBytes } from '../measure/memory.ts';
import { withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE, figureTarget } from './feeds.ts';
import type { Scenario } from './scenario.ts';

/** What comes before the first reading: code is compiled and pools are filled by then. */
const FIRST_MEMBERS = 2000;
const MEMBERS = 10_000;
/** V8 gives back what a burst of connects took of its heaps when it has been idle for some time. */
const SETTLES_MS = 30_000;

const IDLE = {
  describes:
    "Growth of the server's private memory from 2,000 to 12,000 connections, over 10,000: the least of ten readings in 5 s, each from 30 s after the last connect on. " +
    'After 5 s: the same at once, with what connecting took of the heaps. A run takes a minute and a half.',
  run(server, pair, overrides) {
    const members = overrides.members ?? (overrides.quick ? MEMBERS / 5 : MEMBERS);
    return withServer(server, { nodes: 1, workers: overrides.workers ?? 1, keyed: false }, async (stage) => {
      const options = { payloadBytes: 100, everyLatency: false, keys: 0 };
      const group = { name: 'first', topic: `${BENCH_NAMESPACE}.big`, members: FIRST_MEMBERS, ratePerSecond: 1, burst: 1 };
      await stage.swarm(group, options).connect();
      const pids = processTree(stage.server.pids);
      // Otherwise what 2,000 connects took of the heaps would be subtracted from what 10,000 connections take.
      await sleep(SETTLES_MS);
      const before = await leastPrivateBytes(pids);
      await stage.swarm({ ...group, name: 'idle', members }, options).connect();
      const atOnce = await leastPrivateBytes(pids);
      await sleep(SETTLES_MS);
      const after = await leastPrivateBytes(pids);
      const bytesPerConnection = (after - before) / members;
      return emptyRun(server.name, pair, {
        bytesPerConnection,
        bytesPerConnectionAfter5s: (atOnce - before) / members,
        privateMiB: after / 2 ** 20,
      });
    });
  },
} satisfies Pick<Scenario, 'describes' | 'run'>;

export const idleMemory: Scenario = {
  ...IDLE,
  name: 'idle-memory',
  title: 'Memory of 10,000 idle connections with one subscription each',
  servers: ['stentor', 'uws', 'ws', 'socketio'],
  baseline: 'uws',
  targets: [figureTarget('6', 'bytesPerConnection', 2560, 'user-space memory per idle connection ≤ 2.5 KB')],
};

/** Anonymous clients and users, without and with presence. */
export const idleMemoryOfUsers: Scenario = {
  ...IDLE,
  name: 'idle-memory-users',
  title: 'Memory of 10,000 idle connections of users, and with presence',
  servers: ['stentor-ephemeral', 'stentor-users', 'stentor-presence', 'stentor-users-presence'],
  baseline: 'stentor-ephemeral',
  targets: [
    figureTarget('people', 'bytesPerConnection', 2560, 'an anonymous connection ≤ 2.5 KB', 'stentor-ephemeral'),
    figureTarget('people', 'bytesPerConnection', 2560, 'the same with presence ≤ 2.5 KB', 'stentor-presence'),
    figureTarget('people', 'bytesPerConnection', 3584, 'a user’s connection ≤ 3.5 KB', 'stentor-users'),
    figureTarget('people', 'bytesPerConnection', 3584, 'the same with presence ≤ 3.5 KB', 'stentor-users-presence'),
  ],
};
