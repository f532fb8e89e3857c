import { cpuSeconds, processTree } from '../core/proc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { withServer } from '../measure/with-server.ts';
import { OWN_TOPIC } from '../swarm/swarm.ts';
import type { Scenario } from './scenario.ts';

const USERS = 20_000;

export const usersReconnect: Scenario = {
  name: 'users-reconnect',
  title: '20,000 users and their topics, back after a restart of their node',
  describes:
    'Each client has a token and subscribes to the topic of its user, on NATS; two workers. The node is restarted, and all clients connect again, 128 at a time. ' +
    'Until the last subscription is confirmed, and the CPU of the node (with its start); that of NATS is not counted.',
  servers: ['stentor-no-hooks'],
  baseline: 'stentor-no-hooks',
  targets: [],
  run(server, pair, overrides) {
    const members = overrides.members ?? (overrides.quick ? USERS / 20 : USERS);
    return withServer(server, { nodes: 1, workers: overrides.workers ?? 2, keyed: false }, async ({ server: running, swarm }) => {
      const group = { name: 'users', topic: OWN_TOPIC, members, ratePerSecond: 1, burst: 1 };
      const users = swarm(group, { payloadBytes: 100, everyLatency: false, keys: 0 });
      const first = await users.connect();
      await running.restart?.();
      const again = await users.reconnect(running);
      const seconds = (reports: typeof first) => reports.reduce((sum, { elapsedMs }) => sum + elapsedMs / 1000, 0);
      return emptyRun(server.name, pair, {
        connectSeconds: seconds(first),
        reconnectSeconds: seconds(again),
        reconnectP50Ms: Math.max(...again.map(({ joinMs }) => joinMs.p50)),
        reconnectP99Ms: Math.max(...again.map(({ joinMs }) => joinMs.p99)),
        cpuMsPerUser: (cpuSeconds(processTree(running.pids)) * 1000) / members,
      });
    });
  },
};
