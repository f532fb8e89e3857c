import type { StreamInfo } from '@nats-io/jetstream';
import type { LogEnd } from './epoch.ts';
import type { LogBounds } from './follower-core.ts';
import { nanosecondsOf } from './stored-message.ts';

/** Below these shares of a stream's limits, nothing has been removed because of size or age, even if clocks differ. */
const SHARE_MAX = 0.9;

/** The log keeps less than this: it could be replaced before somebody sees it. */
const SHORT_LIFE_MS = 60_000;

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

/** @param sureNs everything that was stored up to this time has been delivered, if that is known */
export function boundsOf(info: StreamInfo, sureNs: number | undefined, nowMs: number): LogBounds {
  const { config, state } = info;
  const bySize = state.bytes >= config.max_bytes * SHARE_MAX;
  return { ...rangeOf(info), ...endOf(info), mayHaveExpired: bySize || mayHaveExpired(sureNs, config.max_age, nowMs) };
}

/** Whether the size limit removes publications soon after they were stored. */
export function isShortLived({ config, state }: StreamInfo): boolean {
  if (state.bytes < config.max_bytes * SHARE_MAX) return false;
  return (nanosecondsOf(state.last_ts) - nanosecondsOf(state.first_ts)) / 1e6 < SHORT_LIFE_MS;
}

/** Whether age may have removed what was stored right after the given time. */
export function mayHaveExpired(timestampNs: number | undefined, maxAgeNs: number, nowMs: number): boolean {
  return timestampNs !== undefined && maxAgeNs > 0 && nowMs * 1e6 - timestampNs >= maxAgeNs * SHARE_MAX;
}
