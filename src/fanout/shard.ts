import type { Position } from '../recent/position.ts';
import type { Flush } from './flush.ts';
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
  /** For whose share what it selects counts: its user, or its address. */
  readonly owner: string;
  /** That of its topics; undefined after its end. */
  readonly group: Group | undefined;
  /** Something for it waits until its group is visited. @returns whether nothing else has waited */
  add(flush: Flush): boolean;
  /** Something waits for it. */
  readonly isWaiting: boolean;
}

/** What each member of a shard was sent. */
export interface Sent {
  readonly frames: number;
  readonly bytes: number;
  /** Publications in the frames. */
  readonly items: number;
}

const NOBODY: Recipient[] = [];
const NOTHING: Sent = { frames: 0, bytes: 0, items: 0 };

/** From so many recipients on, their list grows with some room. */
const ROOMY_FROM = 32;

/**
 * Connections that follow one variant of a topic, and always get the same frames: those of one group, or all of them where they are few. Members join at the
 * cursor, so nothing is sent twice and nothing must be flushed for a join.
 */
export class Shard {
  readonly variant: Variant;
  /** Undefined: a direct shard, of all groups. */
  readonly group: Group | undefined;
  /** Name of the native topic if there is one: its members listen there. ASCII and short, which uWS looks up fastest. */
  nativeTopic: string | undefined;
  #recipients = NOBODY;
  /** It is on its group's agenda for the next pass. */
  isPending = false;
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

  constructor(variant: Variant, group: Group | undefined, cursor: number, offset: number) {
    this.variant = variant;
    this.group = group;
    this.cursor = cursor;
    this.offset = offset;
    this.cursorBefore = cursor;
    this.offsetBefore = offset;
  }

  /** A connection's subscription in the fast path is its shard: there are very many, and an object for each would only repeat this. */
  get kind(): 'member' {
    return 'member';
  }

  get recipients(): readonly Recipient[] {
    return this.#recipients;
  }

  get members(): number {
    return this.#recipients.length;
  }

  addRecipient(recipient: Recipient): void {
    // Exactly as long as needed: an array that grows by push or spread allocates 17 places at once, and most shards have few members.
    if (this.members < ROOMY_FROM) this.#recipients = this.#recipients.concat(recipient);
    else this.#recipients.push(recipient);
  }

  removeRecipient(recipient: Recipient): void {
    this.#recipients = this.#recipients.filter((other) => other !== recipient);
  }

  /** Everything up to `cursor` has been handed over in loop turn `tick`. */
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
    const isSelection = this.variant.options.selection !== undefined;
    if (isSelection) {
      // They may have been sent nothing for different times: a lower `prev` is right for all of them.
      this.offset = Math.min(this.offset, other.offset);
      this.offsetBefore = Math.min(this.offsetBefore, other.offsetBefore);
    }
    if (other.flushTick < this.flushTick || (other.flushTick === this.flushTick && other.cursorBefore >= this.cursorBefore)) return;
    this.flushTick = other.flushTick;
    this.cursorBefore = other.cursorBefore;
    if (!isSelection) this.offsetBefore = other.offsetBefore;
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

  /** What a member did not get, besides what waited for it, whose socket dropped something in loop turn `tick`. */
  lostIn(tick: number): Sent {
    return this.#isInDoubt(tick) ? this.#sent : NOTHING;
  }

  /**
   * What a member certainly has whose socket dropped something in loop turn `tick`, besides what waited for it. Native publish reports that it lost something of
   * a batch, but not what, so everything flushed in that turn counts as lost. What is sent to each socket separately is known.
   */
  positionOfDropped(tick: number): Position {
    return this.#isInDoubt(tick)
      ? { sequence: this.cursorBefore, offset: this.offsetBefore }
      : { sequence: this.cursor, offset: this.offset };
  }

  #isInDoubt(tick: number): boolean {
    return this.group !== undefined && this.flushTick === tick;
  }
}

export function sumOf(a: Sent, b: Sent): Sent {
  return { frames: a.frames + b.frames, bytes: a.bytes + b.bytes, items: a.items + b.items };
}
