import { constantsFrom, type Window, type Windows } from './calibration.ts';
import type { CostConstants } from './constants.ts';

/** What a node has used and done since it started. */
export interface NodeCounters {
  readonly cpuSeconds: number;
  readonly framesOut: number;
}

/** One run of the bench: its connections are open before `begin`, and have everything at `end`. */
export interface BenchWindow {
  readonly connections: number;
  readonly perSecond: number;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

export interface CalibrateOptions {
  readonly connections: number;
  readonly payloadBytes: number;
  /** The machine, for people. */
  readonly machine: string;
  readonly run: (window: BenchWindow) => Promise<void>;
  readonly counters: () => Promise<NodeCounters>;
  readonly nowMs: () => number;
  readonly onProgress: (text: string) => void;
}

/** Publications a second of each window. The first is so low that it is as good as idle, and its window still has an end. */
const IDLE_PER_SECOND = 0.2;
const SLOW_PER_SECOND = 20;
const FAST_PER_SECOND = 400;
const SINGLE_PER_SECOND = 10;
const JOINED_PER_SECOND = 400;

/** Runs the windows that {@link constantsFrom} needs against a node. */
export async function calibrate(options: CalibrateOptions): Promise<CostConstants> {
  const { connections, payloadBytes, machine } = options;
  const windows: Windows = {
    idle: await measure(options, 'idle connections', connections, IDLE_PER_SECOND),
    slow: await measure(options, 'few publications', 1, SLOW_PER_SECOND),
    fast: await measure(options, 'many publications', 1, FAST_PER_SECOND),
    single: await measure(options, 'writes with one publication', connections, SINGLE_PER_SECOND),
    joined: await measure(options, 'writes with several publications', connections, JOINED_PER_SECOND),
  };
  return constantsFrom(windows, { measured: machine, payloadBytes });
}

async function measure(
  { run, counters, nowMs, onProgress }: CalibrateOptions,
  name: string,
  connections: number,
  perSecond: number,
): Promise<Window> {
  onProgress(`calibrating: ${name}`);
  let before: NodeCounters & { readonly atMs: number } = { cpuSeconds: 0, framesOut: 0, atMs: 0 };
  let found: Window | undefined;
  await run({
    connections,
    perSecond,
    begin: async () => {
      before = { ...(await counters()), atMs: nowMs() };
    },
    end: async () => {
      const after = await counters();
      const seconds = (nowMs() - before.atMs) / 1000;
      found = {
        connections,
        perSecond,
        cores: (after.cpuSeconds - before.cpuSeconds) / seconds,
        writesPerSecond: Math.min(perSecond, (after.framesOut - before.framesOut) / connections / seconds),
      };
    },
  });
  if (found === undefined) throw new Error(`${name}: the bench did not finish`);
  return found;
}
