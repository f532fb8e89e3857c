import { createHash } from 'node:crypto';
import type { Predecessor } from '../bus.ts';

/** A publication that was seen in a log: the log still is what it was while it still has this one there. */
export interface Anchor {
  readonly offset: number;
  /** When JetStream took it, nanoseconds since 1970 to about 256 ns. */
  readonly timestampNs: number;
}

/** What all nodes go by for one log. Kept in a key-value bucket, written by compare-and-set. */
export interface EpochEntry {
  /** The stream's, of the life that this is about. */
  readonly created: string;
  /** Rises with every life, for people. */
  readonly generation: number;
  /** Random: a bucket that is lost, or rolled back together with its log, never names a new life as an old one. */
  readonly id: string;
  /** What somebody had seen of the log a while ago. */
  readonly checkpoint?: Anchor;
  /** By the clock of the node that said so, milliseconds since 1970. */
  readonly begunAtMs?: number;
  /** Lives that this one goes on from. */
  readonly before?: readonly Predecessor[];
}

/** Names one life of a log to clients. `created` alone survives a rollback of the store (measured). */
export function epochOf({ created, id }: Pick<EpochEntry, 'created' | 'id'>): string {
  return createHash('sha256').update(`${created}/${id}`).digest('base64url').slice(0, 16);
}

/** How a log compares with an anchor. */
export type Evidence =
  | 'same'
  /** Another publication is there. */
  | 'different'
  /** The log ends before it: rolled back, or told by a server that does not know all yet. */
  | 'shorter'
  /** It is not there any more, so it cannot be told. */
  | 'gone'
  /** Nothing was seen. */
  | 'none';

/** Two readings of one time may differ in their last bits. Publications of two lives at one offset are as far apart as it takes to restart a server. */
const SAME_TIME_NS = 1000;

export function isSameTime(aNs: number, bNs: number): boolean {
  return Math.abs(aNs - bNs) < SAME_TIME_NS;
}

/** Where a log ends. */
export interface LogEnd {
  readonly lastOffset: number;
  /** When its last publication was taken, whether that is kept or not; undefined: the server does not know. */
  readonly lastTimestampNs: number | undefined;
}

/** How a log that ends there compares. @param found when it took its publication at the anchor's offset; undefined: none is there */
export function compareWith(anchor: Anchor, { lastOffset, lastTimestampNs }: LogEnd, found: number | undefined): Evidence {
  if (lastOffset < anchor.offset) return 'shorter';
  // Of its last publication the server knows the time even when it has removed it.
  const takenNs = found ?? (lastOffset === anchor.offset ? lastTimestampNs : undefined);
  if (takenNs === undefined) return 'gone';
  return isSameTime(takenNs, anchor.timestampNs) ? 'same' : 'different';
}

export interface EpochQuestion {
  readonly stored: EpochEntry | undefined;
  /** What this node went by so far. */
  readonly current: EpochEntry | undefined;
  /** The stream's, now. */
  readonly created: string;
  readonly isEmpty: boolean;
  /** What this node saw of the log while it went by `current`. */
  readonly own: Evidence;
  /** This node follows the log without a break, so what it has seen is all that there was. */
  readonly vouches: boolean;
  /** The stored checkpoint. */
  readonly checkpoint: Evidence;
  /** How often the log has been found too short, a second apart. */
  readonly denials: number;
  /** How long nothing has been stored. */
  readonly absentMs: number;
}

export type EpochAnswer =
  /** Go by what is stored. */
  | 'take'
  /** Nothing is stored: store what this node goes by. */
  | 'restore'
  /** The log is not what it was: a new life. */
  | 'renew'
  /** Ask again in a second: a server that has just started may not know all yet. */
  | 'doubt'
  /** Ask again soon: whoever can vouch for the log may be about to say so. */
  | 'await_voucher';

/** A server that has just started, or a new leader, may not know all yet: what it denies must be denied so often. */
export const DENIALS_MIN = 3;
/** Nodes that followed the log are connected again within 0.4 s of a server's start (measured), and know it 0.1 s later. */
export const VOUCHER_GRACE_MS = 2000;

/** Which life of the log is this? Whoever is not sure that it is the one that clients know says that it is a new one. */
export function decideEpoch(question: EpochQuestion): EpochAnswer {
  const { stored, current, own, checkpoint, denials } = question;
  if (stored === undefined) return decideUnnamed(question);
  if (stored.created !== question.created) return 'renew';
  // Another node has seen to it, and what this one saw was of the life before.
  const mine = current?.id === stored.id ? own : 'none';
  if (mine === 'different' || checkpoint === 'different') return 'renew';
  if (mine === 'shorter' || checkpoint === 'shorter') return denials < DENIALS_MIN ? 'doubt' : 'renew';
  return 'take';
}

/** Nothing is stored: the bucket is new, or went with the server that had it. */
function decideUnnamed({ current, created, isEmpty, own, vouches, denials, absentMs }: EpochQuestion): EpochAnswer {
  if (own === 'different' || (current !== undefined && current.created !== created)) return 'renew';
  if (own === 'shorter') return denials < DENIALS_MIN ? 'doubt' : 'renew';
  if (current !== undefined && own === 'same' && vouches) return 'restore';
  if (isEmpty && own === 'none') return current === undefined ? 'renew' : 'restore';
  return absentMs < VOUCHER_GRACE_MS ? 'await_voucher' : 'renew';
}
