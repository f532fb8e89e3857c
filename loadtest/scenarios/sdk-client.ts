import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../../src/bench/clock.ts';
import { childScript } from '../build.ts';
import { cpuSeconds } from '../core/proc.ts';
import { Child } from '../core/rpc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const TOPIC = `${BENCH_NAMESPACE}.big`;
const RATE = 5000;
const WARMUP_MS = 2000;
const LEAD_US = 200_000;
const SETTLE_MAX_MS = 10_000;

interface Report {
  readonly received: number;
  readonly gaps: number;
  readonly duplicates: number;
  readonly framesIn: number;
}

export const sdkClient: Scenario = {
  name: 'sdk-client',
  title: 'One client of the SDK, 5,000 items a second',
  describes: 'CPU of the process that the SDK runs in, with a callback that counts: decoding, positions, latency measures.',
  servers: ['stentor'],
  baseline: 'stentor',
  targets: [],
  run(server, pair, overrides) {
    const ratePerSecond = overrides.rate ?? RATE;
    const durationMs = (overrides.seconds ?? (overrides.quick ? 2 : 10)) * 1000;
    const payloadBytes = overrides.payloadBytes ?? 100;
    return withServer(server, { nodes: 1, workers: 1, keyed: false }, async ({ server: running }) => {
      const child = new Child('sdk client', childScript('sdk-client'));
      try {
        await child.call('subscribe', { url: `ws://127.0.0.1:${running.ports[0]}/ws`, topic: TOPIC });
        const group = { topic: TOPIC, members: 1, ratePerSecond, burst: 1, keys: 0 };
        const feed = (firstSequence: number, ms: number) =>
          running.feed({ topics: [{ ...group, firstSequence }], startAtUs: nowUs() + LEAD_US, durationMs: ms, payloadBytes });
        await feed(0, WARMUP_MS);
        const warm = (ratePerSecond * WARMUP_MS) / 1000;
        await received(child, warm);
        const [before, startUs] = [cpuSeconds([child.pid]), nowUs()];
        await feed(warm, durationMs);
        const count = (ratePerSecond * durationMs) / 1000;
        const { gaps, duplicates, framesIn, received: all } = await received(child, warm + count);
        const seconds = (nowUs() - startUs) / 1e6;
        const cpu = cpuSeconds([child.pid]) - before;
        const invalid =
          all === warm + count && gaps + duplicates === 0 ? '' : `${all} of ${warm + count}, ${gaps} gaps, ${duplicates} duplicates`;
        return emptyRun(
          server.name,
          pair,
          { cpuOfACore: cpu / seconds, cpuUsPerItem: (cpu * 1e6) / count, itemsPerFrame: all / framesIn },
          invalid,
        );
      } finally {
        await child.stop();
      }
    });
  },
};

/** Until the client has so many, or does not get on. */
async function received(child: Child, count: number): Promise<Report> {
  const endMs = performance.now() + SETTLE_MAX_MS;
  for (;;) {
    const report = await child.call<Report>('report');
    if (report.received >= count || performance.now() > endMs) return report;
    await sleep(20);
  }
}
