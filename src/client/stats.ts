import type { LatencySummary } from './histogram.ts';

/** Each only rises, over all connections of the client's life. */
export interface Counters {
  framesIn: number;
  bytesIn: number;
  bytesOut: number;
  /** Handed to the application. */
  items: number;
  /** Of them, brought back after a reconnect or a gap. */
  recovered: number;
  /** Of them, a topic's state at the start of a stream. */
  snapshot: number;
  /** Left out by the server for later ones of their key. */
  conflated: number;
  /** Conflated or lost because this client was too slow. */
  lagged: number;
  /** Dropped because they had been delivered. */
  duplicates: number;
  /** Times that something was missing and the log was asked. */
  gaps: number;
  /** Times that a topic started over from its state. */
  resyncs: number;
  /** Connections lost. */
  disconnects: number;
  published: number;
  /** Of them, stored already when they were sent again. */
  publishDuplicates: number;
  volatileSent: number;
  volatileDropped: number;
}

export interface Stats extends Readonly<Counters> {
  /**
   * From the node that sends to the application's callback, of items that came live, in the last statistics interval when it comes with the event, else
   * since the client began. As good as the clock estimate: it may be off by half of `rttMs`.
   */
  readonly latency: LatencySummary;
  /** The server's clock minus ours; undefined before the first answer to a ping. */
  readonly clockOffsetMs: number | undefined;
  /** The shortest recent round trip. */
  readonly rttMs: number | undefined;
  /** Publishes that wait for their answers. */
  readonly publishesWaiting: number;
}

export function newCounters(): Counters {
  return {
    framesIn: 0,
    bytesIn: 0,
    bytesOut: 0,
    items: 0,
    recovered: 0,
    snapshot: 0,
    conflated: 0,
    lagged: 0,
    duplicates: 0,
    gaps: 0,
    resyncs: 0,
    disconnects: 0,
    published: 0,
    publishDuplicates: 0,
    volatileSent: 0,
    volatileDropped: 0,
  };
}
