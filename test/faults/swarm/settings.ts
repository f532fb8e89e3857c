import type { Life, Verdict } from '../ledger.ts';

/** What a swarm process is told to be. */
export interface SwarmSettings {
  readonly clients: number;
  /** Client i begins with port i modulo their number, and tries the others in turn. */
  readonly ports: readonly number[];
  /** Client i follows topic i modulo their number. */
  readonly topics: readonly string[];
  /** With it every client is a user of its own. */
  readonly tokenSecret?: string;
  /** Connections being opened at once, at the beginning. */
  readonly inFlightMax: number;
  /** What has not been answered by then is asked for again. */
  readonly requestTimeoutMs: number;
  /** Of its random choices: when clients reconnect, and ask again. */
  readonly seed: number;
}

/** Positions to be reached, by topic; in any epoch, or in one that is none of these. */
export interface Target {
  readonly offsets: Readonly<Record<string, number>>;
  readonly otherThan?: readonly string[];
  readonly timeoutMs: number;
}

export interface Reached {
  /** Clients that did not get there in time. */
  readonly behind: number;
  /** On the clock that all processes of the machine share. */
  readonly atMs: number;
  readonly examples: readonly string[];
}

export interface SwarmReport {
  readonly verdict: Verdict;
  readonly examples: readonly string[];
  readonly cpuShare: number;
}

export interface StatsReport {
  readonly live: number;
  readonly dropped: number;
  readonly held: number;
  readonly historyAsked: number;
  readonly resyncs: number;
  readonly notRecovered: number;
  readonly lagged: number;
  readonly foreignEpochs: number;
  readonly timeouts: number;
  readonly epochs: readonly string[];
  readonly resumeMs: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  readonly endsPerSecondMax: number;
  readonly disconnects: Readonly<Record<string, number>>;
  readonly closeCodes: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly told: Readonly<Record<string, number>>;
  /** Connections that are live, by worker's life. */
  readonly liveByWorker: Readonly<Record<string, number>>;
}

export interface CheckRequest {
  readonly lives: readonly Life[];
}

/** The longest pause between deliveries that a client of these workers has had since the watch began. */
export interface SilenceRequest {
  readonly exceptWorkers: readonly string[];
}
