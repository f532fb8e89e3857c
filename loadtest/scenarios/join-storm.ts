import type { WindowSpec } from '../measure/types.ts';
import { measureWindow } from '../measure/window.ts';
import { withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const TOPIC = `${BENCH_NAMESPACE}.big`;
const STEADY_MEMBERS = 2000;
const STORM_MEMBERS = 10_000;
const RATE = 20;
const IDLE_MS = 10_000;
/** As many handshakes at once as a listen backlog holds. */
const IN_FLIGHT_MAX = 500;

export const joinStorm: Scenario = {
  name: 'join-storm',
  title: 'Join storm: 10,000 join a topic of 2,000 while it takes 20 msg/s',
  describes: 'How long until all are in, and what those who were there before notice. Every newcomer must get everything from its join on.',
  servers: ['stentor', 'uws'],
  baseline: 'uws',
  targets: [],
  run(server, pair, overrides) {
    const shrink = overrides.quick ? 5 : 1;
    const newcomers = (overrides.members ?? STORM_MEMBERS) / shrink;
    const steady = { name: 'steady', topic: TOPIC, members: STEADY_MEMBERS / shrink, ratePerSecond: overrides.rate ?? RATE, burst: 1 };
    const spec: WindowSpec = {
      groups: [steady],
      nodes: 1,
      workers: overrides.workers ?? 1,
      warmupMs: 0,
      durationMs: (overrides.seconds ?? (overrides.quick ? 4 : 15)) * 1000,
      payloadBytes: overrides.payloadBytes ?? 100,
      everyLatency: false,
      countSends: overrides.countSends,
    };
    return withServer(server, { ...spec, keyed: false }, async (stage) => {
      const there = stage.swarm(steady, { ...spec, keys: 0 });
      const storm = stage.swarm({ ...steady, name: 'storm', members: newcomers }, { ...spec, keys: 0, inFlightMax: IN_FLIGHT_MAX });
      await there.connect();
      const sequences = new Map<string, number>();
      const [measured, joins] = await Promise.all([
        measureWindow({ server: stage.server, swarms: [there], sequences }, spec),
        storm.connect(),
      ]);
      const arrived = await storm.closeWindow(sequences.get(TOPIC)!, IDLE_MS);
      const broken = arrived.reduce((sum, report) => sum + report.behind + report.skipped + report.repeated, 0);
      const extra = {
        joinAllMs: Math.max(...joins.map((join) => join.elapsedMs)),
        joinP99Ms: Math.max(...joins.map((join) => join.joinMs.p99)),
        cpuSeconds: measured.cpuSeconds,
      };
      const invalid = [measured.invalid, broken > 0 ? `storm: ${broken} behind, skipped or repeated` : ''].filter(Boolean).join('; ');
      return { server: server.name, pair, ...measured, cpuPerDeliveryUs: undefined, invalid, extra };
    });
  },
};
