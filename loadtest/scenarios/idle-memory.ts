import { processTree } from '../core/proc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { leastPrivateBytes } from '../measure/memory.ts';
import { withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE, figureTarget } from './feeds.ts';
import type { Scenario } from './scenario.ts';

/** What comes before the first reading: code is compiled and pools are filled by then. */
const FIRST_MEMBERS = 2000;
const MEMBERS = 10_000;

export const idleMemory: Scenario = {
  name: 'idle-memory',
  title: 'Memory of 10,000 idle connections with one subscription each',
  describes: "Growth of the server's private memory from 2,000 to 12,000 connections, over 10,000. The least of ten readings, 5 s.",
  servers: ['stentor', 'uws', 'ws', 'socketio'],
  baseline: 'uws',
  targets: [figureTarget('6', 'bytesPerConnection', 2560, 'user-space memory per idle connection ≤ 2.5 KB')],
  run(server, pair, overrides) {
    const members = overrides.members ?? (overrides.quick ? MEMBERS / 5 : MEMBERS);
    return withServer(server, { nodes: 1, workers: overrides.workers ?? 1, keyed: false }, async (stage) => {
      const options = { payloadBytes: 100, everyLatency: false, keys: 0 };
      const group = { name: 'first', topic: `${BENCH_NAMESPACE}.big`, members: FIRST_MEMBERS, ratePerSecond: 1, burst: 1 };
      await stage.swarm(group, options).connect();
      const pids = processTree(stage.server.pids);
      const before = await leastPrivateBytes(pids);
      await stage.swarm({ ...group, name: 'idle', members }, options).connect();
      const after = await leastPrivateBytes(pids);
      return emptyRun(server.name, pair, { bytesPerConnection: (after - before) / members, privateMiB: after / 2 ** 20 });
    });
  },
};
