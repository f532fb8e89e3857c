import type { Encoding } from '../protocol/codec.ts';
import type { Recipient, Shard } from './shard.ts';

/** The form of a connection's frames, for its whole lifetime. */
export interface GroupForm {
  readonly encoding: Encoding;
  /** Compress once for all members (MessagePack only). */
  readonly deflate: boolean;
}

/** What a group has to send in one lane: its shards with something pending. */
export class Agenda {
  /** The group is in the lane's next pass. */
  isListed = false;
  /** For the next pass. */
  pending: Shard[] = [];
  /** For the current pass, and how many of them have been visited. */
  due: Shard[] = [];
  visited = 0;
  /** What the current visit has sent so far. */
  deliveries = 0;
  /** When the last visit ended. */
  visitedAtMs = 0;
  /** Nothing but large topics is pending. */
  onlyLarge = true;
  #dueOnlyLarge = true;

  /** The shard has something for the next pass. A topic that comes again while its shard is postponed lists that once more: it stays in its place. */
  enlist(shard: Shard): void {
    if (shard.isPending) return;
    shard.isPending = true;
    this.pending.push(shard);
  }

  startPass(): void {
    for (const shard of this.pending) shard.isPending = false;
    this.due = this.pending;
    this.pending = [];
    this.visited = 0;
    this.#dueOnlyLarge = this.onlyLarge;
    this.onlyLarge = true;
    this.isListed = false;
  }

  /** The pass ended before it came to this group, or was done with it. */
  postpone(): void {
    const postponed = this.due.slice(this.visited).filter(({ isPending }) => !isPending);
    for (const shard of postponed) shard.isPending = true;
    this.pending = postponed.concat(this.pending);
    this.due = [];
    this.deliveries = 0;
    this.onlyLarge &&= this.#dueOnlyLarge;
  }

  /**
   * Adds what has arrived since the pass began. It also stays pending, because a topic is listed once for all its groups, and may have more before the next
   * pass. @returns number of shards
   */
  beginVisit(): readonly Shard[] {
    if (this.visited === 0 && this.pending.length > 0) this.due = this.due.concat(this.pending);
    return this.due;
  }

  endVisit(nowMs: number): void {
    this.due = [];
    this.deliveries = 0;
    this.visitedAtMs = nowMs;
  }
}

/**
 * Connections with the same form, whatever topics they follow. Everything pending for a group is sent in one loop turn, by one `send()` per socket. With fifty
 * topics on a connection this is a fiftieth of the calls, and the calls are the cost.
 */
export class Group {
  readonly form: GroupForm;
  /** Identifies it among all groups of the worker, including those that have ended. */
  readonly number: number;
  /** Whether its connections can listen in native topics. If false, each frame is sent to each connection. */
  readonly isNative: boolean;
  connections = 0;
  /** Its connections for which frames wait. */
  waiting: Recipient[] = [];
  readonly #agendas: Agenda[] = [];

  constructor(form: GroupForm, number: number, isNative = true) {
    this.form = form;
    this.number = number;
    this.isNative = isNative;
  }

  takeWaiting(): readonly Recipient[] {
    const { waiting } = this;
    this.waiting = [];
    return waiting;
  }

  agenda(laneNumber: number): Agenda {
    let agenda = this.#agendas[laneNumber];
    if (agenda === undefined) {
      agenda = new Agenda();
      this.#agendas[laneNumber] = agenda;
    }
    return agenda;
  }

  /** Sends that the next visit will take, about. */
  sendsDue(laneNumber: number): number {
    const { due, pending } = this.agenda(laneNumber);
    if (due.length + pending.length > COUNTED_SHARDS_MAX) return this.connections;
    let members = this.waiting.length;
    for (const shard of due) members += shard.members;
    for (const shard of pending) members += shard.members;
    return Math.min(this.connections, members);
  }
}

/** More shards are not counted: they are about all of the group's connections. */
const COUNTED_SHARDS_MAX = 16;

/** The worker's groups: chooses the group of a new connection. */
export class Groups {
  readonly #connectionsMax: number;
  readonly #ofForm = new Map<string, { readonly withRoom: Set<Group>; count: number }>();
  #nextNumber = 0;

  /** @param connectionsMax maximum number of connections in a group */
  constructor(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
  }

  /** Adds a connection to a group of its form, together with others that can listen in native topics, or with others that cannot. */
  enter(form: GroupForm, isNative = true): Group {
    const alike = this.#like(form, isNative);
    let [group] = alike.withRoom;
    if (group === undefined) {
      group = new Group(form, this.#nextNumber++, isNative);
      alike.withRoom.add(group);
      alike.count++;
    }
    group.connections++;
    if (group.connections >= this.#connectionsMax) alike.withRoom.delete(group);
    return group;
  }

  /** The connection has closed, or has moved. A group ends with its last connection. */
  leave(group: Group): void {
    group.connections--;
    const alike = this.#like(group.form, group.isNative);
    if (group.connections > 0) alike.withRoom.add(group);
    else {
      alike.withRoom.delete(group);
      alike.count--;
    }
  }

  /** Number of groups of the same form. */
  countLike({ form, isNative }: Group): number {
    return this.#like(form, isNative).count;
  }

  #like({ encoding, deflate }: GroupForm, isNative: boolean): { readonly withRoom: Set<Group>; count: number } {
    const name = `${encoding}${deflate ? ' deflate' : ''}${isNative ? '' : ' one by one'}`;
    let alike = this.#ofForm.get(name);
    if (alike === undefined) {
      alike = { withRoom: new Set(), count: 0 };
      this.#ofForm.set(name, alike);
    }
    return alike;
  }
}
