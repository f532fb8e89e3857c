import type { Watchlist } from '../core/watchlist.ts';

/** Members of one topic and the feed that it gets. */
export interface Group {
  /** `all`, `big` or `probe`: the name in tables. */
  readonly name: string;
  readonly topic: string;
  readonly members: number;
  readonly ratePerSecond: number;
  readonly burst: number;
  /** Of its publications, if not the window's. */
  readonly payloadBytes?: number;
  /** Each member follows some of many topics, `<topic><number>`; the rate is that of all topics together. */
  readonly watch?: Watchlist;
  /** A topic that each member follows besides; what comes of it is not counted. */
  readonly alsoFollows?: string;
  /** Each member asks for at most so many updates a second, and may be given fewer. */
  readonly maxRateHz?: number;
  /** Each member asks to be told who is subscribed. */
  readonly presence?: boolean;
}

export interface WindowSpec {
  readonly groups: readonly Group[];
  readonly nodes: number;
  readonly workers: number;
  readonly warmupMs: number;
  /** Publications a second on each topic in the warm-up. Default: as in the window. */
  readonly warmupRate?: number;
  readonly durationMs: number;
  readonly payloadBytes: number;
  /** Latencies of every delivery, not of a sample: for the time to the very last member. */
  readonly everyLatency: boolean;
  readonly countSends: boolean;
  /** Of the floor; see StartSettings. */
  readonly itemsPerSend?: number;
  /** Connect first, then subscribe, and say what a subscription takes of the server's memory. */
  readonly weighSubscriptions?: boolean;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** [percentile, ms] pairs, for the chart. */
  readonly curve: readonly (readonly [number, number])[];
}

export interface GroupResult {
  readonly name: string;
  readonly members: number;
  readonly ratePerSecond: number;
  readonly published: number;
  readonly delivered: number;
  /** WebSocket frames in which they came. */
  readonly frames: number;
  readonly latency: Latency;
}

export interface SendCount {
  readonly tool: 'perf' | 'strace';
  /** By system call: sendto, sendmsg, write, writev. */
  readonly calls: Readonly<Record<string, number>>;
  readonly perDelivery: number;
}

/** One run of one server: the unit of a pair. */
export interface RunResult {
  readonly server: string;
  readonly pair: number;
  /** Empty: the run counts. Else why it does not. */
  readonly invalid: string;
  readonly groups: readonly GroupResult[];
  readonly deliveries: number;
  readonly cpuSeconds: number;
  /** Undefined where a scenario does more than deliver. */
  readonly cpuPerDeliveryUs: number | undefined;
  /** From the first publication's schedule to the last delivery seen. */
  readonly elapsedMs: number;
  /** Of one core. */
  readonly serverCpuShare: number;
  readonly swarmCpuShare: number;
  /** What the rest of the machine used meanwhile, of one core: much of it makes the run worth little. */
  readonly othersCpuShare: number;
  /** Where the server's CPU went: hub, workers. */
  readonly processes: readonly { readonly name: string; readonly cpuSeconds: number }[];
  readonly feedLatenessMaxMs: number;
  readonly residentMiB: number;
  readonly sends?: SendCount;
  /** Figures that only one scenario has. */
  readonly extra?: Readonly<Record<string, number>>;
}
