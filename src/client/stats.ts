import type { LatencySummary } from './histogram.ts';

/** Each only rises, over all connections of the client. */
export interface Counters {
  framesIn: number;
  bytesIn: number;
  bytesOut: number;
  /** Items delivered to the application. */
  items: number;
  /** Of them, recovered after a reconnect or a gap. */
  recovered: number;
  /** Of them, from a topic's state at the start of a stream. */
  snapshot: number;
  /** Left out by the server in favour of later ones of their key. */
  conflated: number;
  /** Conflated or left out because this client was too slow. */
  lagged: number;
  /** Dropped because they had been delivered already. */
  duplicates: number;
  /** How often something was missing and was requested from the log. */
  gaps: number;
  /** How often a topic was reset to its state. */
  resyncs: number;
  /** Lost connections. */
  disconnects: number;
  published: number;
  /** Of them, already stored when they were sent again. */
  publishDuplicates: number;
  volatileSent: number;
  volatileDropped: number;
}

export interface Stats extends Readonly<Counters> {
  /**
   * Latency of live items, from the sending node to the application's callback: of the last interval in the `stats` event, otherwise since the client began.
   * Its accuracy is that of the clock estimate: it may be wrong by half of `rttMs`.
   */
  readonly latency: LatencySummary;
  /** The server's clock minus ours; undefined before the first answer to a ping. */
  readonly clockOffsetMs: number | undefined;
  /** The shortest recent round trip. */
  readonly rttMs: number | undefined;
  /** Unanswered publishes. */
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
