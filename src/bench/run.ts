import type { Encoding } from '../protocol/codec.ts';
import { ClientProcess } from './client-process.ts';
import { nowUs } from './clock.ts';
import type { Tally } from './messages.ts';
import { publishAll } from './publisher.ts';
import { type BenchResult, judge } from './verdict.ts';

/** Time for the last publication to reach everybody. */
const SETTLE_MS = 5000;
const SETTLE_POLL_MS = 50;
/** Few enough for any listen queue. */
const OPENS_IN_FLIGHT = 200;
/** Numbers of runs fit into a stamp. */
const RUNS = 100_000;

export interface BenchOptions {
  readonly url: string;
  readonly token?: string | undefined;
  readonly encoding: Encoding;
  readonly topic: string;
  readonly connections: number;
  readonly processes: number;
  readonly perSecond: number;
  readonly durationMs: number;
  readonly payloadBytes: number;
  readonly p99MaxMs: number;
  /** Publishes JSON texts to the topic, in order. @returns the code of each that was refused */
  readonly publish: (payloads: readonly string[]) => Promise<readonly string[]>;
  readonly onProgress: (text: string) => void;
  /** Ends it early: what was measured until then is judged. */
  readonly signal: AbortSignal;
  /** Called when all connections are open, right before the first publication. */
  readonly onOpened?: () => Promise<void>;
  /** Called when everybody has everything, or does not get it. */
  readonly onSettled?: () => Promise<void>;
}

/** Opens connections, publishes to all of them at a constant rate, and says how it went. */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const processes = Array.from({ length: options.processes }, () => new ClientProcess());
  try {
    return await measure(options, processes);
  } finally {
    for (const process of processes) process.stop();
  }
}

async function measure(options: BenchOptions, processes: readonly ClientProcess[]): Promise<BenchResult> {
  const { connections, perSecond, durationMs, p99MaxMs, payloadBytes, signal, onProgress } = options;
  const run = Math.floor(Math.random() * RUNS);
  const publications = Math.max(1, Math.round((perSecond * durationMs) / 1000));
  onProgress(`opening ${connections} connections`);
  const startUs = nowUs();
  const { url, token, encoding, topic } = options;
  const common = { url, token, encoding, topic, run, payloadBytes, opensInFlightMax: Math.ceil(OPENS_IN_FLIGHT / processes.length) };
  const shares = shared(connections, processes.length);
  const opened = await Promise.all(processes.map((process, at) => process.open({ ...common, count: shares[at] ?? 0 })));
  const openedInMs = (nowUs() - startUs) / 1000;
  const ready = opened.reduce((total, one) => total + one.ready, 0);
  if (ready > 0) onProgress(`publishing ${publications} times to ${topic}`);
  await options.onOpened?.();
  const publishStartUs = nowUs();
  // Without clients there is nothing to measure.
  const plan = { count: ready === 0 ? 0 : publications, perSecond, payloadBytes, run, send: options.publish, signal };
  const published = await publishAll(plan);
  const tallies = await settled(processes, published.count);
  const elapsedMs = (nowUs() - publishStartUs) / 1000;
  await options.onSettled?.();
  return judge(
    { connections, publications, perSecond, p99MaxMs },
    { ready, openedInMs, published, tallies: tallies.map(({ tally }) => tally), cpuShares: tallies.map(({ cpuMs }) => cpuMs / elapsedMs) },
  );
}

/** When all clients have got the last publication, or after a while. */
async function settled(processes: readonly ClientProcess[], sent: number): Promise<{ tally: Tally; cpuMs: number }[]> {
  const deadlineMs = performance.now() + SETTLE_MS;
  for (;;) {
    const tallies = await Promise.all(processes.map((process) => process.tally(sent)));
    if (performance.now() > deadlineMs || tallies.every(({ tally }) => tally.behind === 0)) return tallies;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
  }
}

function shared(count: number, among: number): number[] {
  return Array.from({ length: among }, (_, at) => Math.floor(count / among) + (at < count % among ? 1 : 0));
}
