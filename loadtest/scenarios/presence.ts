import { processTree } from '../core/proc.ts';
import { leastPrivateBytes } from '../measure/memory.ts';
import type { WindowSpec } from '../measure/types.ts';
import { measureWindow } from '../measure/window.ts';
import { withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const TOPIC = `${BENCH_NAMESPACE}.big`;
/** What comes before the first reading of the memory. */
const FIRST_MEMBERS = 2000;
const MEMBERS = 17_000;
/** All of these join in one second, and leave in the next: 500 joins a second on average, and a count that changes. */
const CHURNING = 1000;

function presenceScenario(name: string, title: string, describes: string, watched: boolean): Scenario {
  return {
    name,
    title,
    describes,
    servers: ['stentor-presence', 'stentor-ephemeral'],
    baseline: 'stentor-ephemeral',
    targets: [],
    run(server, pair, overrides) {
      const shrink = overrides.quick ? 10 : 1;
      const members = (overrides.members ?? MEMBERS) / shrink;
      const first = { name: 'first', topic: TOPIC, members: FIRST_MEMBERS / shrink, ratePerSecond: overrides.rate ?? 1, burst: 1 };
      // A namespace without presence refuses it.
      const presence = watched && server.name === 'stentor-presence' ? { presence: true } : {};
      const big = { ...first, ...presence, name: 'big', members: members - first.members };
      const churning = { ...first, name: 'churning', members: CHURNING / shrink };
      const spec: WindowSpec = {
        groups: [big],
        nodes: 1,
        workers: overrides.workers ?? 1,
        warmupMs: overrides.quick ? 500 : 4000,
        durationMs: (overrides.seconds ?? (overrides.quick ? 3 : 15)) * 1000,
        payloadBytes: overrides.payloadBytes ?? 100,
        everyLatency: false,
        countSends: overrides.countSends,
      };
      return withServer(server, { ...spec, keyed: false }, async (stage) => {
        const before = stage.swarm({ ...first, ...presence }, { ...spec, keys: 0 });
        const there = stage.swarm(big, { ...spec, keys: 0 });
        const restless = stage.swarm(churning, { ...spec, keys: 0 });
        const pids = processTree(stage.server.pids);
        await before.connect();
        const startBytes = await leastPrivateBytes(pids);
        await there.connect();
        const endBytes = await leastPrivateBytes(pids);
        await restless.connect();
        const sequences = new Map<string, number>();
        const churn = restless.churn(spec.warmupMs + spec.durationMs + 2000);
        const measured = await measureWindow({ server: stage.server, swarms: [there], sequences }, spec);
        await churn;
        const extra = {
          cpuMsPerSecond: (measured.cpuSeconds * 1e6) / measured.elapsedMs,
          bytesPerConnection: (endBytes - startBytes) / big.members,
        };
        return { server: server.name, pair, ...measured, cpuPerDeliveryUs: undefined, extra };
      });
    },
  };
}

export const PRESENCE_SCENARIOS: readonly Scenario[] = [
  presenceScenario(
    'presence',
    'Presence: 17,000 members, 500 joins and 500 leaves a second, nobody watches',
    'What a namespace with presence costs against one without: CPU a second, and memory a connection. One publication a second.',
    false,
  ),
  presenceScenario(
    'presence-watched',
    'Presence: the same, and all 17,000 are told the count',
    'The same where each member subscribes with presence: the topic has too many members to name them, so each gets its count once a second.',
    true,
  ),
];
