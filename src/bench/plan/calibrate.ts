import { type BigTopicWindows, constantsFrom, type Window } from './calibration.ts';
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
  /** @returns publications that were made between `begin` and `end` */
  readonly run: (window: BenchWindow) => Promise<number>;
  readonly counters: () => Promise<NodeCounters>;
  readonly nowMs: () => number;
  readonly onProgress: (text: string) => void;
}

/** Publications a second of each window. The first is so low that it is as good as none, and its window still has an end. */
const IDLE_PER_SECOND = 0.5;
const SLOW_PER_SECOND = 10;
const FAST_PER_SECOND = 400;
const FLOOD_PER_SECOND = 4000;
const SINGLE_PER_SECOND = 10;
const JOINED_PER_SECOND = 400;

/** Writes to a connection, of those that there should be: with fewer, its connections are elsewhere. */
const WRITTEN_SHARE_MIN = 0.5;

/** Runs the windows that {@link constantsFrom} needs against a node. @throws RangeError as that does, or if the connections are at another node */
export async function calibrate(options: CalibrateOptions): Promise<CostConstants> {
  const { connections, payloadBytes, machine } = options;
  // A node that runs for an hour has compiled its code, and one that has just started has not.
  await measure(options, 'warming up', 1, FAST_PER_SECOND);
  const windows = await measureWindows(connections, (name, count, perSecond) => measure(options, name, count, perSecond));
  const { single } = windows;
  if (single.writesPerSecond < single.perSecond * WRITTEN_SHARE_MIN)
    throw new RangeError('the connections are not at the node whose metrics are read: --url and --admin-url are of different nodes');
  return constantsFrom(windows, { measured: machine, payloadBytes });
}

/** Measures one window after the other. @param name for people */
export async function measureWindows(
  connections: number,
  window: (name: string, connections: number, perSecond: number) => Promise<Window>,
): Promise<BigTopicWindows> {
  return {
    empty: await window('an idle node', 1, IDLE_PER_SECOND),
    slow: await window('few publications', 1, SLOW_PER_SECOND),
    fast: await window('many publications', 1, FAST_PER_SECOND),
    flood: await window('very many publications', 1, FLOOD_PER_SECOND),
    idle: await window('idle connections', connections, IDLE_PER_SECOND),
    single: await window('writes with one publication', connections, SINGLE_PER_SECOND),
    joined: await window('writes with several publications', connections, JOINED_PER_SECOND),
  };
}

async function measure(
  { run, counters, nowMs, onProgress }: CalibrateOptions,
  name: string,
  connections: number,
  perSecond: number,
): Promise<Window> {
  onProgress(`calibrating: ${name}`);
  let before: NodeCounters & { readonly atMs: number } = { cpuSeconds: 0, framesOut: 0, atMs: 0 };
  let used: { readonly cores: number; readonly framesPerSecond: number; readonly seconds: number } | undefined;
  const publications = await run({
    connections,
    perSecond,
    begin: async () => {
      before = { ...(await counters()), atMs: nowMs() };
    },
    end: async () => {
      const after = await counters();
      const seconds = (nowMs() - before.atMs) / 1000;
      used = {
        cores: (after.cpuSeconds - before.cpuSeconds) / seconds,
        framesPerSecond: (after.framesOut - before.framesOut) / seconds,
        seconds,
      };
    },
  });
  if (used === undefined) throw new Error(`${name}: the bench did not finish`);
  // As it was: a window ends with its last publication.
  const made = publications / used.seconds;
  return { connections, perSecond: made, cores: used.cores, writesPerSecond: Math.min(made, used.framesPerSecond / connections) };
}
