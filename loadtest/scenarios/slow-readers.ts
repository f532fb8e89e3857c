import { nowUs } from '../../src/bench/clock.ts';
import { keyOf, publicationsIn, type TopicFeed } from '../core/feed.ts';
import { cpuSeconds, processTree, residentBytes } from '../core/proc.ts';
import { kernelBytesOfPort } from '../core/ss.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { mergeHistograms, toLatency } from '../measure/latency.ts';
import type { GroupSwarm } from '../measure/swarms.ts';
import type { RunResult } from '../measure/types.ts';
import { type Stage, withServer } from '../measure/with-server.ts';
import type { WindowReport } from '../swarm/settings.ts';
import { BENCH_NAMESPACE, figureTarget } from './feeds.ts';
import type { Overrides, Scenario } from './scenario.ts';

const TOPIC = `${BENCH_NAMESPACE}.big`;
const MEMBERS = 2000;
const SLOW_SHARE = 0.1;
const RATE = 500;
const KEYS = 100;
const IDLE_MS = 10_000;
const LEAD_US = 200_000;
const WATCH_EVERY_MS = 1000;
/** The kernel takes up to 4 MiB (tcp_wmem) for a socket that its client does not read before the server notices: 20 s of the feed must be more. */
const PAYLOAD_BYTES = 800;
/** What the feed goes on for after the slow ones read again. */
const AFTER_MS = 5000;

export const slowReaders: Scenario = {
  name: 'slow-readers',
  title: '200 of 2,000 stop reading for 20 s, keyed feed of 500 msg/s',
  describes:
    'A window in which everybody reads, then one in which a tenth does not. Do the others notice, is memory bounded, and do the slow ones ' +
    'end with the latest of every key, told what was skipped?',
  servers: ['stentor'],
  baseline: 'stentor',
  targets: [
    figureTarget('lagging', 'othersP99Ratio', 1.1, "the others' p99 within 10%"),
    figureTarget('lagging', 'slowStale', 0, 'no slow reader ends with an old value'),
    figureTarget('lagging', 'untold', 0, 'publications skipped that no slow reader was told of'),
  ],
  run(server, pair, overrides) {
    return withServer(server, { nodes: 1, workers: overrides.workers ?? 1, keyed: true }, (stage) =>
      measure(server.name, pair, stage, overrides),
    );
  },
};

async function measure(name: string, pair: number, stage: Stage, overrides: Overrides): Promise<RunResult> {
  const members = overrides.members ?? (overrides.quick ? MEMBERS / 5 : MEMBERS);
  const slowCount = Math.round(members * SLOW_SHARE);
  const pauseMs = (overrides.seconds ?? (overrides.quick ? 5 : 20)) * 1000;
  const payloadBytes = overrides.payloadBytes ?? PAYLOAD_BYTES;
  const group = { name: 'others', topic: TOPIC, members: members - slowCount, ratePerSecond: overrides.rate ?? RATE, burst: 1 };
  const options = { payloadBytes, everyLatency: false, keys: KEYS };
  const others = stage.swarm(group, options);
  const slow = stage.swarm({ ...group, name: 'slow', members: slowCount }, options);
  await others.connect();
  await slow.connect();
  const run = { stage, swarms: [others, slow], payloadBytes };
  const feed: TopicFeed = { ...group, keys: KEYS, firstSequence: 0 };

  await play(run, feed, 2000);
  const calm = await play(run, next(feed, 2000), pauseMs);
  const pids = processTree(stage.server.pids);
  const before = { resident: residentBytes(pids), cpu: cpuSeconds(pids) };
  const watch = watchMemory(pids, stage.server.ports[0]!);
  const stalledFeed = next(next(feed, 2000), pauseMs);
  await slow.openWindow(stalledFeed.firstSequence);
  await slow.first.call('pause', { first: 0, count: slowCount });
  const stalled = await play({ ...run, swarms: [others] }, stalledFeed, pauseMs);
  await slow.first.call('resume', { first: 0, count: slowCount });
  // A window of its own: what the kernel holds for the slow ones, hundreds of MiB, comes in one go now, and is read on the same cores.
  const resumedFeed = next(stalledFeed, pauseMs);
  const end = resumedFeed.firstSequence + publicationsIn(resumedFeed, AFTER_MS);
  const resuming = play({ ...run, swarms: [others] }, resumedFeed, AFTER_MS);
  const slowNow = await slow.closeWindow(end, IDLE_MS + AFTER_MS);
  const resumed = await resuming;
  const peak = await watch.stop();

  const ends = await slow.first.call<SlowEnds>('slowReport', { first: 0, count: slowCount, keys: KEYS });
  const p99 = (of: readonly WindowReport[]) => toLatency(mergeHistograms(of.map((report) => report.latency))).p99Ms;
  const lagged = ends.lagged.reduce((sum, count) => sum + count, 0);
  const broken = [...stalled.flat(), ...resumed.flat(), ...calm.flat()].reduce(
    (sum, report) => sum + report.behind + report.skipped + report.repeated,
    0,
  );
  return emptyRun(
    name,
    pair,
    {
      othersP99Ratio: p99(stalled[0]!) / p99(calm[0]!),
      othersP99CalmMs: p99(calm[0]!),
      othersP99StalledMs: p99(stalled[0]!),
      othersP99ResumedMs: p99(resumed[0]!),
      slowStale: ends.states.filter((state) => isStale(state, end)).length,
      slowConnected: ends.ready,
      slowSkipped: slowNow.reduce((sum, report) => sum + report.skipped, 0),
      slowToldSkipped: lagged,
      untold: Math.max(0, slowNow.reduce((sum, report) => sum + report.skipped, 0) - lagged),
      slowRepeated: slowNow.reduce((sum, report) => sum + report.repeated, 0),
      residentBeforeMiB: before.resident / 2 ** 20,
      residentPeakMiB: peak.residentBytes / 2 ** 20,
      kernelPeakMiB: peak.kernelBytes / 2 ** 20,
      cpuSeconds: cpuSeconds(pids) - before.cpu,
    },
    broken > 0 ? `the others: ${broken} behind, skipped or repeated` : '',
  );
}

interface SlowEnds {
  readonly states: readonly (readonly number[])[];
  readonly lagged: readonly number[];
  readonly ready: number;
}

interface Play {
  readonly stage: Stage;
  readonly swarms: readonly GroupSwarm[];
  readonly payloadBytes: number;
}

/** Feeds one window and waits until everybody is at its end. */
async function play({ stage, swarms, payloadBytes }: Play, feed: TopicFeed, durationMs: number): Promise<WindowReport[][]> {
  await Promise.all(swarms.map((swarm) => swarm.openWindow(feed.firstSequence)));
  const end = feed.firstSequence + publicationsIn(feed, durationMs);
  const feeding = stage.server.feed({ topics: [feed], startAtUs: nowUs() + LEAD_US, durationMs, payloadBytes });
  const reports = await Promise.all(swarms.map((swarm) => swarm.closeWindow(end, IDLE_MS + durationMs)));
  await feeding;
  return reports.map((each) => [...each]);
}

function next(feed: TopicFeed, durationMs: number): TopicFeed {
  return { ...feed, firstSequence: feed.firstSequence + publicationsIn(feed, durationMs) };
}

/** Is any key's last value not the last one published? */
function isStale(lastByKey: readonly number[], end: number): boolean {
  const feed = { keys: KEYS } as TopicFeed;
  for (let sequence = end - KEYS; sequence < end; sequence++) {
    if (lastByKey[keyOf(feed, sequence)] !== sequence) return true;
  }
  return false;
}

function watchMemory(pids: readonly number[], port: number): { stop(): Promise<{ residentBytes: number; kernelBytes: number }> } {
  const peak = { residentBytes: 0, kernelBytes: 0 };
  const read = async () => {
    peak.residentBytes = Math.max(peak.residentBytes, residentBytes(pids));
    peak.kernelBytes = Math.max(peak.kernelBytes, await kernelBytesOfPort(port));
  };
  const timer = setInterval(() => void read(), WATCH_EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await read();
      return peak;
    },
  };
}
