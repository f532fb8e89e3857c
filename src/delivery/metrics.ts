import type { Sent } from '../fanout/shard.ts';
import type { Shared } from './shares.ts';

interface Count {
  inc(by?: number): void;
}

interface Distribution {
  observe(value: number): void;
}

/** What this folder counts; the worker has the metrics. */
export interface DeliveryMetrics {
  /** How often a connection fell behind, and how often one has caught up. */
  readonly laggedTotal: Count;
  readonly rejoined: Count;
  readonly closedSlow: Count;
  /** Publications that slow consumers did not get. */
  readonly skipped: Count;
  /** How often publications of a topic waited for its members. */
  readonly topicQueued: Count;
  readonly batchItems: Distribution;
  readonly publishToSocket: Distribution;
  readonly eventToSocket: Distribution;
  /** A subscribe with a position, and who had the missed items. */
  recovery(from: 'worker' | 'hub' | 'none'): void;
  /** These were sent to a shard. */
  flushed(members: number, sent: Sent): void;
  /** One member of a shard did not get them; reported in the loop turn of the flush. */
  lost(sent: Sent): void;
  /** These were sent to one connection only. */
  caughtUp(sent: Sent): void;
  /** A client has its share of what all clients share, and was refused more. */
  shareRefused(shared: Shared): void;
  turnEnded(): void;
}
