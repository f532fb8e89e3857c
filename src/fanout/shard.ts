import type { Position } from '../recent/position.ts';
import type { Group } from './group.ts';
import type { Variant } from './variant.ts';

/**
 * With fewer members a shard has no native topic: a native publish, and what uWS keeps for a topic, cost more than they save. Measured, with 20 frames per
 * socket: 0.20 µs per delivery if each socket is written to separately; native 0.54 µs with 1 member, 0.40 with 2, 0.30 with 5, 0.23 with 25.
 */
export const NATIVE_MEMBERS_MIN = 16;

/** A connection, as the fan-out knows it. */
export interface Recipient {
  readonly id: string;
}

/** What each member of a shard was sent. */
export interface Sent {
  readonly frames: number;
  readonly bytes: number;
  /** Publications in the frames. */
  readonly items: number;
}

const NOBODY: readonly Recipient[] = [];
const NOTHING: Sent = { frames: 0, bytes: 0, items: 0 };

/**
 * The connections of one group that follow one variant of a topic. They always get the same frames. If there are many, they are one native uWS topic. Members
 * join at the cursor, so nothing is sent twice and nothing must be flushed for a join.
 */
export class Shard {
  readonly variant: Variant;
  readonly group: Group;
  /** Name of the native topic if there is one: its members listen there. ASCII and short, which uWS looks up fastest. */
  nativeTopic: string | undefined;
  members = 0;
  /** The same members, for sending to them one by one. */
  recipients: readonly Recipient[] = NOBODY;
  /** Ring sequence of the next item to send. */
  cursor: number;
  /** Offset up to which the members have been sent everything: the `prev` of the next batch. */
  offset: number;
  /** The loop turn of the last flush, and the shard's position before it: a socket that lost frames in that turn goes back to it. */
  flushTick = -1;
  cursorBefore: number;
  offsetBefore: number;
  /** In the loop turn of the last flush. */
  #sent = NOTHING;
  /** The loop turn in which its members were told about a reset. */
  #resyncTick = -1;

  constructor(variant: Variant, group: Group, cursor: number, offset: number) {
    this.variant = variant;
    this.group = group;
    this.cursor = cursor;
    this.offset = offset;
    this.cursorBefore = cursor;
    this.offsetBefore = offset;
  }

  addRecipient(recipient: Recipient): void {
    // Exactly as long as needed: an array that grows by push or spread allocates 17 places at once, and most shards have one or two members.
    if (!this.recipients.includes(recipient)) this.recipients = this.recipients.concat(recipient);
  }

  removeRecipient(recipient: Recipient): void {
    this.recipients = this.recipients.filter((other) => other !== recipient);
  }

  /** Everything up to `cursor` has been passed to native publish in loop turn `tick`. */
  advance(cursor: number, offset: number, tick: number, sent = NOTHING): void {
    this.#sent = this.flushTick === tick ? sumOf(this.#sent, sent) : sent;
    if (this.flushTick !== tick) {
      this.flushTick = tick;
      this.cursorBefore = this.cursor;
      this.offsetBefore = this.offset;
    }
    this.cursor = cursor;
    this.offset = offset;
  }

  /** Adds members of a shard at the same cursor: if their sockets report a drop in this loop turn, it is of what that shard was sent. */
  absorb(other: Shard): void {
    this.#resyncTick = Math.max(this.#resyncTick, other.#resyncTick);
    if (other.flushTick < this.flushTick || (other.flushTick === this.flushTick && other.cursorBefore >= this.cursorBefore)) return;
    this.flushTick = other.flushTick;
    this.cursorBefore = other.cursorBefore;
    this.offsetBefore = other.offsetBefore;
    this.#sent = other.#sent;
  }

  /** Native publish has been given the message that tells its members about a reset. */
  toldToStartOver(tick: number): void {
    this.#resyncTick = tick;
  }

  /** That message may be lost too: a member that dropped something in loop turn `tick` may not know the current epoch of the topic. */
  hasLostResync(tick: number): boolean {
    return this.#resyncTick === tick;
  }

  /** The history was reset: everybody continues at the new head. */
  reset(cursor: number, offset: number): void {
    this.cursor = this.cursorBefore = cursor;
    this.offset = this.offsetBefore = offset;
  }

  /** What a member did not get whose socket dropped something in loop turn `tick`. */
  lostIn(tick: number): Sent {
    return this.flushTick === tick ? this.#sent : NOTHING;
  }

  /**
   * What a member certainly has whose socket dropped something in loop turn `tick`. Native publish reports that it lost something of a batch, but not what, so
   * everything flushed in that turn counts as lost.
   */
  positionOfDropped(tick: number): Position {
    return this.flushTick === tick
      ? { sequence: this.cursorBefore, offset: this.offsetBefore }
      : { sequence: this.cursor, offset: this.offset };
  }
}

export function sumOf(a: Sent, b: Sent): Sent {
  return { frames: a.frames + b.frames, bytes: a.bytes + b.bytes, items: a.items + b.items };
}
