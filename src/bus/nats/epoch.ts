import { createHash } from 'node:crypto';
import type { Predecessor } from '../log.ts';

/** A publication that was seen in a log. While the log still has it at this offset, the log is the same. */
export interface Anchor {
  readonly offset: number;
  /** When JetStream stored it, nanoseconds since 1970, precise to about 256 ns. */
  readonly timestampNs: number;
}

/** The epoch of one log, as all nodes use it. Kept in a key-value bucket, written by compare-and-set. */
export interface EpochEntry {
  /** Creation time of the stream. */
  readonly created: string;
  /** Rises with every epoch; for people. */
  readonly generation: number;
  /** Random. So if a bucket is lost, or rolled back with its log, a new epoch never gets the name of an old one. */
  readonly id: string;
  /** What a node had seen of the log some time ago. */
  readonly checkpoint?: Anchor;
  /** By the clock of the node that wrote it, milliseconds since 1970. */
  readonly begunAtMs?: number;
  /** Earlier epochs that this one continues. */
  readonly before?: readonly Predecessor[];
}

/** The name of an epoch for clients. `created` alone does not change with a rollback of the store (measured). */
export function epochOf({ created, id }: Pick<EpochEntry, 'created' | 'id'>): string {
  return createHash('sha256').update(`${created}/${id}`).digest('base64url').slice(0, 16);
}

/** The result of comparing a log with an anchor. */
export type Evidence =
  | 'same'
  /** Another publication is at that offset. */
  | 'different'
  /** The log ends before it: it was rolled back, or the server does not know everything yet. */
  | 'shorter'
  /** The publication has been removed, so nothing can be said. */
  | 'gone'
  /** There is no anchor. */
  | 'none';

/** Two readings of one time may differ in their last bits. Publications of two epochs at one offset are at least as far apart as a server takes to restart. */
const SAME_TIME_NS = 1000;

export function isSameTime(aNs: number, bNs: number): boolean {
  return Math.abs(aNs - bNs) < SAME_TIME_NS;
}

/** The end of a log. */
export interface LogEnd {
  readonly lastOffset: number;
  /** When its last publication was stored, whether or not it is still kept; undefined: the server does not know. */
  readonly lastTimestampNs: number | undefined;
}

/** Compares a log with an anchor. @param found when the publication at the anchor's offset was stored; undefined: there is none */
export function compareWith(anchor: Anchor, { lastOffset, lastTimestampNs }: LogEnd, found: number | undefined): Evidence {
  if (lastOffset < anchor.offset) return 'shorter';
  // The server knows the time of its last publication even after removing it.
  const takenNs = found ?? (lastOffset === anchor.offset ? lastTimestampNs : undefined);
  if (takenNs === undefined) return 'gone';
  return isSameTime(takenNs, anchor.timestampNs) ? 'same' : 'different';
}

export interface EpochQuestion {
  readonly stored: EpochEntry | undefined;
  /** The epoch that this node has used so far. */
  readonly current: EpochEntry | undefined;
  /** Creation time of the stream, now. */
  readonly created: string;
  readonly isEmpty: boolean;
  /** What this node saw of the log in the epoch `current`. */
  readonly own: Evidence;
  /** This node follows the log without interruption, so it has seen everything. */
  readonly vouches: boolean;
  /** The stored checkpoint. */
  readonly checkpoint: Evidence;
  /** How often the log has been found too short, a second apart. */
  readonly denials: number;
  /** For how long no entry has been stored. */
  readonly absentMs: number;
}

export type EpochAnswer =
  /** Use the stored entry. */
  | 'take'
  /** Nothing is stored: store this node's entry. */
  | 'restore'
  /** The log was reset: a new epoch. */
  | 'renew'
  /** Ask again in a second: a server that has just started may not know everything yet. */
  | 'doubt'
  /** Ask again soon: a node that can confirm the log may be about to do so. */
  | 'await_voucher';

/** A server that has just started, or a new leader, may not know everything yet. So a denial must be repeated this often. */
export const DENIALS_MIN = 3;
/** Nodes that followed the log are connected again within 0.4 s of a server's start (measured), and know the log 0.1 s later. */
export const VOUCHER_GRACE_MS = 2000;

/** Decides the epoch of the log. A node that is not sure that the log is the one that clients know starts a new epoch. */
export function decideEpoch(question: EpochQuestion): EpochAnswer {
  const { stored, current, own, checkpoint, denials } = question;
  if (stored === undefined) return decideUnnamed(question);
  if (stored.created !== question.created) return 'renew';
  // Another node has decided, and what this one saw was in the previous epoch.
  const mine = current?.id === stored.id ? own : 'none';
  if (mine === 'different' || checkpoint === 'different') return 'renew';
  if (mine === 'shorter' || checkpoint === 'shorter') return denials < DENIALS_MIN ? 'doubt' : 'renew';
  return 'take';
}

/** Nothing is stored: the bucket is new, or was lost with its server. */
function decideUnnamed({ current, created, isEmpty, own, vouches, denials, absentMs }: EpochQuestion): EpochAnswer {
  if (own === 'different' || (current !== undefined && current.created !== created)) return 'renew';
  if (own === 'shorter') return denials < DENIALS_MIN ? 'doubt' : 'renew';
  if (current !== undefined && own === 'same' && vouches) return 'restore';
  if (isEmpty && own === 'none') return current === undefined ? 'renew' : 'restore';
  return absentMs < VOUCHER_GRACE_MS ? 'await_voucher' : 'renew';
}
