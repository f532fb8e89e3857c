import type { StreamInfo } from '@nats-io/jetstream';
import type { LogEnd } from './epoch.ts';
import type { LogBounds } from './follower-core.ts';
import { nanosecondsOf } from './stored-message.ts';

/** Below these shares of a stream's limits, nothing has been removed because of size or age, even if clocks differ. */
const SHARE_MAX = 0.9;

/** Servers give an empty stream different first sequences; this is the sequence of the next message. */
export function rangeOf({ state }: Pick<StreamInfo, 'state'>): { readonly firstOffset: number; readonly lastOffset: number } {
  const { messages, first_seq, last_seq } = state;
  return { firstOffset: messages === 0 ? last_seq + 1 : first_seq, lastOffset: last_seq };
}

/** A stream keeps the time of its last message when that is removed, and over a restart (measured with 2.9.10 and 2.15.2). */
export function endOf({ state }: Pick<StreamInfo, 'state'>): LogEnd {
  const lastTimestampNs = nanosecondsOf(state.last_ts);
  return { lastOffset: state.last_seq, lastTimestampNs: lastTimestampNs > 0 ? lastTimestampNs : undefined };
}

/** @param timestampNs when the publication at a follower's position was stored, if it has one */
export function boundsOf(info: StreamInfo, timestampNs: number | undefined, nowMs: number): LogBounds {
  const { config, state } = info;
  const bySize = state.bytes >= config.max_bytes * SHARE_MAX;
  return { ...rangeOf(info), ...endOf(info), mayHaveExpired: bySize || mayHaveExpired(timestampNs, config.max_age, nowMs) };
}

/** Whether age may have removed what was stored right after the given time. */
export function mayHaveExpired(timestampNs: number | undefined, maxAgeNs: number, nowMs: number): boolean {
  return timestampNs !== undefined && maxAgeNs > 0 && nowMs * 1e6 - timestampNs >= maxAgeNs * SHARE_MAX;
}
