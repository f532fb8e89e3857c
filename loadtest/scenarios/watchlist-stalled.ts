import { nowUs } from '../../src/bench/clock.ts';
import { comparedWith } from '../measure/beside-itself.ts';
import type { GroupSwarm } from '../measure/swarms.ts';
import type { RunResult } from '../measure/types.ts';
import { measureWindow } from '../measure/window.ts';
import { type Stage, withServer } from '../measure/with-server.ts';
import { BENCH_NAMESPACE, figureTarget } from './feeds.ts';
import type { Overrides, Scenario } from './scenario.ts';
import { W1, watchSpec } from './watchlist.ts';

const SERVER = 'stentor-nats-json';
const STALLED_SHARE = 0.05;
/** The kernel buffers up to 4 MiB (tcp_wmem) for a socket that is not read, minutes of a watchlist: this topic of the stalled ones fills it, and more. */
const FILL = { topic: `${BENCH_NAMESPACE}.fill`, ratePerSecond: 100, burst: 1, keys: 0, firstSequence: 0 };
const FILL_BYTES = 60_000;
const FILL_MS = 1500;
const SETTLE_MAX_MS = 20_000;
const POLL_MS = 100;

export const watchlistStalled: Scenario = {
  name: 'watchlist-stalled',
  title: 'The watchlist, 5% of its readers stalled',
  describes:
    'A window in which everybody reads, then one in which a twentieth does not, and the server knows: their sockets are full. Do the others notice? ' +
    'Figures are of the others, in the second window.',
  servers: [SERVER],
  baseline: SERVER,
  targets: [figureTarget('W10', 'p99Ms.watch.overCalm', 1.1, "the others' p99 ≤ 1.1 × without stalled readers", SERVER)],
  run(server, pair, overrides) {
    return withServer(server, { nodes: 1, workers: overrides.workers ?? 1, keyed: false }, async (stage) => ({
      server: server.name,
      pair,
      ...(await measure(stage, overrides)),
    }));
  },
};

async function measure(stage: Stage, overrides: Overrides): Promise<Omit<RunResult, 'server' | 'pair'>> {
  const whole = watchSpec(W1, overrides);
  const [group] = whole.groups;
  const stalledCount = Math.round(group!.members * STALLED_SHARE);
  const spec = { ...whole, groups: [{ ...group!, members: group!.members - stalledCount }] };
  const others = stage.swarm(spec.groups[0]!, { ...spec, keys: 0 });
  const stalled = stage.swarm({ ...group!, name: 'stalled', members: stalledCount, alsoFollows: FILL.topic }, { ...spec, keys: 0 });
  await others.connect();
  await stalled.connect();
  const window = { server: stage.server, swarms: [others], sequences: new Map<string, number>() };
  const calm = await measureWindow(window, spec);
  const lagging = await stall(stage, stalled, stalledCount);
  // The same warm-up again: what filling left behind is not what stalled readers cost.
  const own = await measureWindow(window, spec);
  const run = comparedWith({ ...own, extra: { stalled: stalledCount, lagging } }, { name: 'Calm', run: calm });
  return lagging === stalledCount ? run : { ...run, invalid: `${lagging} of ${stalledCount} stalled readers were noticed; ${run.invalid}` };
}

/** Stops reading, and publishes to the stalled ones until their sockets are full. @returns how many the server knows of */
async function stall({ server }: Stage, stalled: GroupSwarm, count: number): Promise<number> {
  if (server.metric === undefined) throw new Error('a server that cannot say who lags cannot be measured here');
  await stalled.first.call('pause', { first: 0, count });
  await server.feed({ topics: [FILL], startAtUs: nowUs(), durationMs: FILL_MS, payloadBytes: FILL_BYTES });
  const endMs = performance.now() + SETTLE_MAX_MS;
  for (;;) {
    const lagging = await server.metric('stentor_connections_lagging');
    if (lagging >= count || performance.now() > endMs) return lagging;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
