import { ProtocolError } from './errors.ts';

/** Of a time in milliseconds since 1970: what JavaScript's `Date` can hold. */
export const TIME_MS_MAX = 8.64e15;

/** Where a `subscribe` or a `history` begins and ends. */
interface Asked {
  readonly since?: object | undefined;
  readonly sinceMs?: number | undefined;
  readonly last?: number | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly speed?: number | undefined;
}

/** @throws ProtocolError `bad_message` if it has two beginnings, an end without a beginning, no time in between, or a speed without times */
export function assertTimeRange({ since, sinceMs, last, fromMs, toMs, speed }: Asked): void {
  if (sinceMs !== undefined && since !== undefined) throw bad('sinceMs: cannot be combined with since');
  if (fromMs !== undefined && since !== undefined) throw bad('fromMs: cannot be combined with since');
  if (fromMs === undefined && toMs === undefined) {
    if (speed !== undefined) throw bad('speed: expected with fromMs or toMs');
    return;
  }
  if (last !== undefined) throw bad('last: cannot be combined with fromMs or toMs');
  if (fromMs === undefined && since === undefined) throw bad('toMs: expected with fromMs, or with since');
  if (fromMs !== undefined && toMs !== undefined && toMs <= fromMs) throw bad('toMs: expected a time after fromMs');
}

/** A `history` of what was published between two times. */
export function isByTime({ fromMs, toMs }: Asked): boolean {
  return fromMs !== undefined || toMs !== undefined;
}

function bad(message: string): ProtocolError {
  return new ProtocolError('bad_message', message);
}
