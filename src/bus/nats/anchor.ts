/** What is known about a log after a read of a topic from `after` on. */
export interface AnchorEvidence {
  readonly after: number;
  /** The topic has many subjects: one for each key. */
  readonly keyed: boolean;
  /** The publication at `after` belongs to the topic, was there when the read began, and was still there when it had ended. */
  readonly anchorKept: boolean;
  /** The state of the log after the read. Not needed if the anchor was kept. */
  readonly log?: {
    readonly firstOffset: number;
    readonly lastOffset: number;
    readonly publicationCount: number;
    /** Of the topic; undefined: not requested. */
    readonly topicCount: number | undefined;
  };
  readonly countMax: number;
  /** The age of the oldest publication that the proof uses, as a share of the age limit. */
  readonly ageShare: number;
  readonly replicaCount: number;
}

/**
 * Each replica removes by age with its own clock, so the one that was read may have removed what the leader still has. Below this share of the age limit none
 * has.
 */
const AGE_SHARE_MAX = 0.9;

/**
 * Whether it is proven that nothing of the topic after `after` was removed before it was read. Removal is oldest-first within a subject. So:
 *
 * - If an anchor of the same subject was kept, nothing after it is missing.
 * - If a log has every offset from `after` + 1 to its end, it has lost none of any subject.
 * - If a log begins at or before `after` + 1, it has removed by count at most, and only from subjects that are at their limit. (This fails if somebody manually
 *   raised the limit of a full subject.)
 *
 * In a keyed topic each key is a separate subject, so only the second rule applies.
 */
export function isAnchored({ after, keyed, anchorKept, log, countMax, ageShare, replicaCount }: AnchorEvidence): boolean {
  if (replicaCount > 1 && ageShare >= AGE_SHARE_MAX) return false;
  if (anchorKept && !keyed) return true;
  if (log === undefined || log.firstOffset > after + 1) return false;
  if (log.publicationCount === log.lastOffset - log.firstOffset + 1) return true;
  return !keyed && log.topicCount !== undefined && log.topicCount < countMax;
}

/** What is known about a log after a read of many subjects: those that a pattern matches. */
export interface ManyEvidence extends Pick<AnchorEvidence, 'after' | 'countMax' | 'ageShare' | 'replicaCount'> {
  /** The read has everything up to here that was there. */
  readonly readUpTo: number;
  /** Of each subject: the offsets that were read, rising. */
  readonly offsets: Iterable<readonly number[]>;
  /** How many publications of these subjects, at most, have come since. Absent: as many as the log has had. */
  readonly laterMax?: number;
  /** The state of the log after the read. */
  readonly log: { readonly firstOffset: number; readonly lastOffset: number; readonly publicationCount: number };
}

/**
 * The offset after which it is proven that nothing was removed before it was read; `after` or later. Undefined: nothing is proven.
 *
 * Removal by age or bytes takes the oldest of the log: it has taken nothing after its first offset. Removal by count takes the oldest of a subject that is full,
 * so as many as the limit have come after what it took. Those are among the ones that were read, or came after the read; so where fewer can have come after an
 * offset, nothing after that was removed.
 */
export function provenOfMany({
  after,
  readUpTo,
  offsets,
  laterMax,
  log,
  countMax,
  ageShare,
  replicaCount,
}: ManyEvidence): number | undefined {
  if (replicaCount > 1 && ageShare >= AGE_SHARE_MAX) return undefined;
  let proven = Math.max(after, log.firstOffset - 1);
  if (log.publicationCount === log.lastOffset - log.firstOffset + 1) return proven;
  const readMax = countMax - (laterMax ?? Math.max(0, log.lastOffset - readUpTo));
  if (readMax <= 0) return undefined;
  for (const read of offsets) if (read.length >= readMax) proven = Math.max(proven, read[read.length - readMax] as number);
  return proven;
}
