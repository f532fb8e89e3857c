/** A follower and the end of its log, at one moment. */
export interface FollowerSample {
  /** Everything up to this offset has been delivered. */
  readonly position: number;
  /** False: it has lost its log, and is reconnecting. */
  readonly live: boolean;
  /** The end of the log. It is requested before the position is read, so a follower that keeps up is never behind it. */
  readonly lastOffset: number;
}

export type FollowerVerdict =
  | 'keeps_up'
  /** Behind, but making progress: a restart would not help. */
  | 'lags'
  /** Behind, and without progress since the last check. */
  | 'stuck'
  /** Ahead of the end of the log: the log may be another one, which a restarted follower detects. */
  | 'beyond_end'
  | 'resuming';

/** @param before the result of the last check of the same follower */
export function judgeFollower(before: FollowerSample | undefined, now: FollowerSample): FollowerVerdict {
  if (!now.live) return 'resuming';
  if (now.position > now.lastOffset) return beyondTwice(before, now) ? 'beyond_end' : 'keeps_up';
  if (now.position === now.lastOffset) return 'keeps_up';
  const waitedFor = before?.live === true && before.position === now.position && before.lastOffset > now.position;
  return waitedFor ? 'stuck' : 'lags';
}

/** May happen once: a publication arrived between the request for the end and the read of the position. */
function beyondTwice(before: FollowerSample | undefined, now: FollowerSample): boolean {
  return before?.live === true && before.position === now.position && before.lastOffset < now.position;
}
