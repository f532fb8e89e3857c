/** A follower and the end of its log, as they were at one moment. */
export interface FollowerSample {
  /** Everything up to here has been delivered. */
  readonly position: number;
  /** False: it has lost touch with its log, and is at work on that. */
  readonly live: boolean;
  /** The log's end. Asked for before the position was read, so a follower that keeps up is never behind it. */
  readonly lastOffset: number;
}

export type FollowerVerdict =
  | 'keeps_up'
  /** Behind, and getting on: nothing that a restart would better. */
  | 'lags'
  /** Behind, and it has had nothing since the last look. */
  | 'stuck'
  /** Ahead of the log's end: the log may be another one, which a restarted follower finds out. */
  | 'beyond_end'
  | 'resuming';

/** @param before what the last look saw, of the same follower */
export function judgeFollower(before: FollowerSample | undefined, now: FollowerSample): FollowerVerdict {
  if (!now.live) return 'resuming';
  if (now.position > now.lastOffset) return beyondTwice(before, now) ? 'beyond_end' : 'keeps_up';
  if (now.position === now.lastOffset) return 'keeps_up';
  const waitedFor = before?.live === true && before.position === now.position && before.lastOffset > now.position;
  return waitedFor ? 'stuck' : 'lags';
}

/** Once may be: a publication that came between asking for the end and reading the position. */
function beyondTwice(before: FollowerSample | undefined, now: FollowerSample): boolean {
  return before?.live === true && before.position === now.position && before.lastOffset < now.position;
}
