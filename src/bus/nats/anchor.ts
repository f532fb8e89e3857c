/** What is known about a log after a topic was read from `after` on. */
export interface AnchorEvidence {
  readonly after: number;
  readonly keyed: boolean;
  /** The publication at `after` is of the topic, was there when the read began, and was still there when it had ended. */
  readonly anchorKept: boolean;
  /** As the log was after the read; not needed when the anchor was kept. */
  readonly log?: {
    readonly firstOffset: number;
    readonly lastOffset: number;
    readonly publicationCount: number;
    /** Of the topic; undefined: not asked. */
    readonly topicCount: number | undefined;
  };
  readonly countMax: number;
  /** How old the oldest publication is that the proof rests on, as a share of what is kept. */
  readonly ageShare: number;
  readonly replicaCount: number;
}

/**
 * Replicas remove by age each on its own clock, so the one that was read may have removed what the leader still has. Below this share of the
 * age limit none has.
 */
const AGE_SHARE_MAX = 0.9;

/**
 * Is it proven that nothing of the topic after `after` was removed before it was read? Removal is oldest-first within a subject, so:
 *
 * - a kept anchor of the same subject proves that nothing after it is missing;
 * - a log that has every offset from `after` + 1 to its end has lost none of any subject;
 * - a log that begins at or before `after` + 1 has removed by count at most, and that only from subjects that are at their limit.
 *   (Not so after somebody raised the limit of a full subject by hand.)
 *
 * In a keyed topic each key is a subject of its own, so only the second holds.
 */
export function isAnchored({ after, keyed, anchorKept, log, countMax, ageShare, replicaCount }: AnchorEvidence): boolean {
  if (replicaCount > 1 && ageShare >= AGE_SHARE_MAX) return false;
  if (anchorKept && !keyed) return true;
  if (log === undefined || log.firstOffset > after + 1) return false;
  if (log.publicationCount === log.lastOffset - log.firstOffset + 1) return true;
  return !keyed && log.topicCount !== undefined && log.topicCount < countMax;
}
