import type { DocumentProgress } from './hub-document.ts';

/** The last image of a topic in the log, as far as it matters for when the next one is due. */
export interface LastImage {
  /** Its own offset. 0: there is none. */
  readonly storedAt: number;
  /** When this node noticed it, milliseconds since 1970. */
  readonly atMs: number;
  /** Of the last publication in it. 0: it says nothing. */
  readonly covers: number;
  readonly bytes: number;
  /** How far the document was: see {@link DocumentProgress}. */
  readonly changes: number;
  readonly changedBytes: number;
}

export const NO_IMAGE: LastImage = { storedAt: 0, atMs: 0, covers: 0, bytes: 0, changes: 0, changedBytes: 0 };

export interface DueQuestion {
  readonly progress: DocumentProgress;
  readonly image: LastImage;
  /** The topic is not followed any more after this. */
  readonly closing: boolean;
  /** Minimum time between two images. */
  readonly intervalMs: number;
  /** What the log removes. */
  readonly retention: { readonly countMax: number; readonly maxAgeMs: number; readonly firstOffset: number; readonly lastOffset: number };
  readonly nowMs: number;
}

/** If the log is about to remove what the document is folded from, an image is due after this share of the interval. */
const URGENT_SHARE = 1 / 30;
/** What the document is folded from must be in the newer half of what the log keeps, by count, age and offset. */
const RETENTION_SHARE = 1 / 2;

/**
 * Whether an image of the document is due: when what has changed since the last one takes as much as an image, so that images are at most half of a log; or when the
 * topic closes; or when the log may soon remove what the document could be folded from without another image.
 */
export function isImageDue({ progress, image, closing, intervalMs, retention, nowMs }: DueQuestion): boolean {
  const { offset, baseOffset, baseAtMs, changes, changedBytes, bytes } = progress;
  if (offset === 0) return false;
  const sinceMs = nowMs - image.atMs;
  // A later whole publication is as good as an image.
  const base =
    image.covers >= baseOffset
      ? { at: image.storedAt, atMs: image.atMs, changes: changes - image.changes, bytes: changedBytes - image.changedBytes }
      : { at: baseOffset, atMs: baseAtMs, changes, bytes: changedBytes };
  if (sinceMs >= intervalMs && offset > image.covers && base.changes > 0 && (closing || base.bytes >= bytes)) return true;
  if (sinceMs < intervalMs * URGENT_SHARE) return false;
  const { countMax, maxAgeMs, firstOffset, lastOffset } = retention;
  const isOld = firstOffset > 1 && base.at < firstOffset + (lastOffset - firstOffset) * RETENTION_SHARE;
  return isOld || base.changes >= countMax * RETENTION_SHARE || nowMs - base.atMs >= maxAgeMs * RETENTION_SHARE;
}
