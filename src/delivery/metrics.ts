import type { Sent } from '../fanout/shard.ts';

interface Count {
  inc(by?: number): void;
}

interface Distribution {
  observe(value: number): void;
}

/** What the room counts; the worker has the metrics. */
export interface DeliveryMetrics {
  /** Times that a connection fell behind, and times that one had caught up again. */
  readonly laggedTotal: Count;
  readonly rejoined: Count;
  readonly closedSlow: Count;
  /** Publications that slow consumers were not given. */
  readonly skipped: Count;
  /** Times that publications of a topic waited for its members. */
  readonly holds: Count;
  readonly batchItems: Distribution;
  readonly publishToSocket: Distribution;
  /** A subscribe with a position: who had what was missed. */
  recovery(from: 'worker' | 'hub' | 'none'): void;
  /** A shard was given this. */
  flushed(members: number, sent: Sent): void;
  /** One member of a shard was not given this after all; reported in the loop turn of the flush. */
  lost(sent: Sent): void;
  /** One connection was given this by itself. */
  caughtUp(sent: Sent): void;
  turnEnded(): void;
}
