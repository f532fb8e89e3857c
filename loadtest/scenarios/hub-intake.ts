import { nowUs } from '../../src/bench/clock.ts';
import { cpuSeconds, processTree } from '../core/proc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const COUNT = 300_000;
const IDLE_MS = 60_000;
const PROBE = `${BENCH_NAMESPACE}.probe`;

export const hubIntake: Scenario = {
  name: 'hub-intake',
  title: 'Intake of one hub, 100-byte publications that nobody here wants',
  describes:
    'A client follows another topic of the same log. The publications are already in the log, or go in while the hub is stopped (SIGSTOP), ' +
    'so that the store is not what is measured; then the hub goes on, and the probe publication behind them all marks the end.',
  servers: ['stentor', 'stentor-nats'],
  baseline: 'stentor',
  targets: [
    {
      number: '7',
      server: 'stentor-nats',
      metric: 'intakePerSecond',
      against: [],
      bound: { atLeast: 100_000 },
      text: 'feed into one hub ≥ 100,000 msg/s',
    },
  ],
  run(server, pair, overrides) {
    const count = overrides.quick ? COUNT / 10 : COUNT;
    const payloadBytes = overrides.payloadBytes ?? 100;
    return withServer(server, { nodes: 1, workers: 1, keyed: false }, async ({ server: running, swarm }) => {
      if (running.flood === undefined) throw new Error(`${server.name} can't be flooded`);
      const group = { name: 'probe', topic: PROBE, members: 1, ratePerSecond: 1, burst: 1 };
      const probe = swarm(group, { payloadBytes, everyLatency: true, keys: 0 });
      await probe.connect();
      const plan = { topics: [{ ...group, keys: 0, firstSequence: 0 }], startAtUs: nowUs(), durationMs: 1000, payloadBytes };
      await probe.openWindow(0);
      const pids = processTree(running.pids);
      const stopped = running.selfFed ? [] : pids;
      signal(stopped, 'SIGSTOP');
      const cpuBefore = cpuSeconds(pids);
      let startUs = nowUs();
      await running.flood({ topic: `${BENCH_NAMESPACE}.flood`, count, payloadBytes });
      await running.feed({ ...plan, startAtUs: nowUs() });
      if (stopped.length > 0) startUs = nowUs();
      signal(stopped, 'SIGCONT');
      const reports = await probe.closeWindow(1, IDLE_MS);
      const seconds = (nowUs() - startUs) / 1e6;
      const invalid = reports.some((report) => report.behind > 0) ? 'the probe publication did not arrive' : '';
      const cpu = cpuSeconds(pids) - cpuBefore;
      return emptyRun(server.name, pair, { intakePerSecond: count / seconds, cpuUsPerPublication: (cpu * 1e6) / count }, invalid);
    });
  },
};

function signal(pids: readonly number[], name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids) process.kill(pid, name);
}
