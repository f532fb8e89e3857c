import type { Watchlist } from '../core/watchlist.ts';
import type { DialectName, Subscription } from './dialects.ts';

/** What one swarm process is told to open. */
export interface SwarmSettings {
  readonly count: number;
  readonly port: number;
  /** Default: the dialect's. */
  readonly path?: string;
  readonly dialect: DialectName;
  readonly subscription: Subscription;
  readonly sampleEvery: number;
  readonly keys: number;
  /** Each connection follows some of many topics, `<topic><number>`. */
  readonly watch?: Watchlist;
  /** A topic that each connection follows besides; what comes of it is not counted. */
  readonly alsoFollows?: string;
  /** Connections are ready once they are open, and subscribe when they are told to. */
  readonly later?: boolean;
  /** Each connection is a user of its own, with a token. */
  readonly tokenSecret?: string;
  readonly payloadBytes: number;
  /** Connections being opened at once. */
  readonly inFlightMax: number;
}

export interface ConnectReport {
  readonly ready: number;
  readonly closed: number;
  readonly refusal: string;
  readonly elapsedMs: number;
  /** From each connection's start, or from its subscribing where that comes later, to its confirmed subscriptions. */
  readonly joinMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface WindowReport {
  readonly delivered: number;
  /** WebSocket frames in which they came. */
  readonly frames: number;
  readonly skipped: number;
  readonly repeated: number;
  /** Items of topics that a connection did not ask for. */
  readonly stray: number;
  /** Connections that did not get everything. */
  readonly behind: number;
  readonly closed: number;
  readonly refusal: string;
  /** Of one core, while the window was open. */
  readonly cpuShare: number;
  /** HdrHistogram V2, compressed, base64; microseconds. */
  readonly latency: string;
}
