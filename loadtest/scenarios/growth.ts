import { runServer } from '../measure/run.ts';
import type { RunResult } from '../measure/types.ts';
import { BENCH_NAMESPACE, ratioTarget } from './feeds.ts';
import type { Scenario } from './scenario.ts';

/** The same deliveries a second for every size: only the number of sockets differs. */
const DELIVERIES_PER_SECOND = 40_000;
const SIZES = [1000, 4000, 17_000];

export const growth: Scenario = {
  name: 'growth',
  title: 'Cost growth from 1,000 to 17,000 members',
  describes: `CPU per delivery at ${DELIVERIES_PER_SECOND} deliveries a second, for each number of members.`,
  servers: ['stentor', 'uws'],
  baseline: 'uws',
  targets: [ratioTarget('8', 'growth', 1, "growth of the cost ≤ bare uWS's")],
  async run(server, pair, overrides) {
    const extra: Record<string, number> = {};
    let last: RunResult | undefined;
    const invalid: string[] = [];
    for (const size of SIZES) {
      const members = overrides.quick ? size / 10 : size;
      last = await runServer(server, pair, {
        groups: [{ name: 'all', topic: `${BENCH_NAMESPACE}.big`, members, ratePerSecond: DELIVERIES_PER_SECOND / size, burst: 1 }],
        nodes: 1,
        workers: overrides.workers ?? 1,
        warmupMs: 2000,
        durationMs: (overrides.seconds ?? (overrides.quick ? 2 : 10)) * 1000,
        payloadBytes: overrides.payloadBytes ?? 100,
        everyLatency: false,
        countSends: overrides.countSends,
      });
      extra[`cpuPerDeliveryUs.${size}`] = last.cpuPerDeliveryUs ?? Number.NaN;
      if (last.invalid !== '') invalid.push(`${size}: ${last.invalid}`);
    }
    extra.growth = extra[`cpuPerDeliveryUs.${SIZES.at(-1)}`]! / extra[`cpuPerDeliveryUs.${SIZES[0]}`]!;
    return { ...last!, extra, invalid: invalid.join('; ') };
  },
};
