import type { Topic } from '../protocol/topic.ts';
import type { MemberBudget } from './budget.ts';
import { isUser, type Member } from './member.ts';
import { OwnMember } from './own-member.ts';
import { counted, type TopicChange } from './topic-change.ts';
import { NAMED_AGAIN, type PresenceRules, type Union } from './union.ts';

/** What changed in a topic since the worker's last report of it. */
export interface PresenceReport {
  readonly topic: Topic;
  /** New connections minus ended ones. */
  readonly delta: number;
  /** Absent where members are only counted. */
  readonly members?: readonly MemberReport[];
}

export interface MemberReport {
  readonly member: Member;
  /** New connections of the member minus ended ones. */
  readonly delta: number;
  /** A connection closed, so the member may come back. False: it unsubscribed. */
  readonly closed: boolean;
}

interface OwnTopic {
  readonly rules: PresenceRules;
  count: number;
  readonly bySource: number[];
  /** Undefined: only counted, because of the namespace's option or because they do not fit the budget. */
  members: Map<string, OwnMember> | undefined;
  /** Has too many members: they are not named. */
  omits: boolean;
}

interface Dirty {
  readonly ids: Set<string>;
  renamed: boolean;
}

interface Leaving {
  readonly topic: Topic;
  readonly id: string;
  readonly atMs: number;
}

export interface TrackerOptions {
  readonly union: Union;
  readonly budget: MemberBudget;
  readonly rulesOf: (topic: Topic) => PresenceRules;
  readonly graceMs: number;
}

/**
 * The members of the topics of this node, from the reports of its workers. A user whose last connection has closed stays for the grace time. If another
 * connection comes within it, the user never left.
 */
export class Tracker {
  readonly #options: TrackerOptions;
  readonly #topics = new Map<Topic, OwnTopic>();
  /** Changes that the other nodes have not been told yet. */
  #dirty = new Map<Topic, Dirty>();
  /** In the order of their times. */
  #leaving: Leaving[] = [];

  constructor(options: TrackerOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** @param source number of the worker, from 0 on */
  report(source: number, { topic, delta, members = [] }: PresenceReport, nowMs: number): void {
    const own = this.#topic(topic);
    this.#count(topic, own, source, delta, nowMs);
    for (const report of members) this.#member(topic, own, source, report, nowMs);
    this.#settle(topic, own);
  }

  /** The worker is gone, with all its connections. They may come back on another worker. */
  removeSource(source: number, nowMs: number): void {
    for (const [topic, own] of this.#topics) {
      this.#count(topic, own, source, -(own.bySource[source] ?? 0), nowMs);
      for (const known of [...(own.members?.values() ?? [])]) {
        const { member } = known;
        const connections = known.connectionsOn(source);
        if (connections > 0) this.#member(topic, own, source, { member, delta: -connections, closed: true }, nowMs);
      }
      this.#settle(topic, own);
    }
  }

  /** Removes members that have not come back within the grace time. */
  expire(nowMs: number): void {
    let due = 0;
    for (; due < this.#leaving.length && (this.#leaving[due] as Leaving).atMs <= nowMs; due++) {
      const { topic, id, atMs } = this.#leaving[due] as Leaving;
      const own = this.#topics.get(topic);
      const member = own?.members?.get(id);
      if (own === undefined || member === undefined || member.leavesAtMs !== atMs) continue;
      this.#remove(topic, own, member);
      this.#settle(topic, own);
    }
    if (due > 0) this.#leaving = this.#leaving.slice(due);
  }

  /** Returns the changes since the last call, for the other nodes. */
  takeChanges(): TopicChange[] {
    const dirty = this.#dirty;
    this.#dirty = new Map();
    return Array.from(dirty, ([topic, what]) => this.#changeOf(topic, what));
  }

  /** The whole state, for a node that knows nothing of this one. */
  all(): TopicChange[] {
    return Array.from(this.#topics.keys(), (topic) => this.#changeOf(topic, { ids: new Set(), renamed: true }));
  }

  #topic(topic: Topic): OwnTopic {
    let own = this.#topics.get(topic);
    if (own === undefined) {
      const rules = this.#options.rulesOf(topic);
      own = { rules, count: 0, bySource: [], members: rules.named ? new Map() : undefined, omits: false };
      this.#topics.set(topic, own);
    }
    return own;
  }

  #count(topic: Topic, own: OwnTopic, source: number, delta: number, nowMs: number): void {
    if (delta === 0) return;
    own.count += delta;
    own.bySource[source] = (own.bySource[source] ?? 0) + delta;
    this.#options.union.count(topic, delta, nowMs);
    this.#dirtyOf(topic);
  }

  #member(topic: Topic, own: OwnTopic, source: number, { member, delta, closed }: MemberReport, nowMs: number): void {
    if (own.members === undefined) return;
    const known = own.members.get(member.id) ?? this.#add(topic, own, member, delta);
    if (known === undefined) return;
    known.add(source, delta);
    known.leavesAtMs = 0;
    if (known.connections > 0) return;
    if (!closed || !isUser(member) || this.#options.graceMs === 0) return this.#remove(topic, own, known);
    known.leavesAtMs = nowMs + this.#options.graceMs;
    this.#leaving.push({ topic, id: member.id, atMs: known.leavesAtMs });
  }

  #add(topic: Topic, own: OwnTopic, member: Member, delta: number): OwnMember | undefined {
    if (delta <= 0) return undefined;
    if (!this.#options.budget.take(member)) {
      this.#giveUp(topic, own);
      return undefined;
    }
    const known = new OwnMember(member);
    own.members?.set(member.id, known);
    if (!own.omits) this.#options.union.add(topic, member);
    this.#dirtyOf(topic).ids.add(member.id);
    return known;
  }

  #remove(topic: Topic, own: OwnTopic, { member }: OwnMember): void {
    own.members?.delete(member.id);
    this.#options.budget.giveBack([member]);
    if (!own.omits) this.#options.union.remove(topic, member.id);
    this.#dirtyOf(topic).ids.add(member.id);
  }

  /** The topic's members do not fit the budget. It is only counted until it is empty. */
  #giveUp(topic: Topic, own: OwnTopic): void {
    if (!own.omits) this.#omit(topic, own);
    this.#options.budget.giveBack(membersOf(own));
    own.members = undefined;
  }

  #omit(topic: Topic, own: OwnTopic): void {
    own.omits = true;
    this.#options.union.omit(topic, 1);
    for (const { id } of membersOf(own)) this.#options.union.remove(topic, id);
    this.#dirtyOf(topic);
  }

  #nameAgain(topic: Topic, own: OwnTopic): void {
    own.omits = false;
    for (const member of membersOf(own)) this.#options.union.add(topic, member);
    this.#options.union.omit(topic, -1);
    this.#dirtyOf(topic).renamed = true;
  }

  /** After a change: checks whether there are too many members, few enough to name them again, or none. */
  #settle(topic: Topic, own: OwnTopic): void {
    const { rules, members, omits } = own;
    if (members !== undefined) {
      if (!omits && members.size > rules.membersMax) this.#omit(topic, own);
      else if (omits && members.size <= rules.membersMax * NAMED_AGAIN) this.#nameAgain(topic, own);
    }
    if (own.count > 0 || (members !== undefined && members.size > 0)) return;
    this.#topics.delete(topic);
    if (!own.omits) return;
    this.#options.union.omit(topic, -1);
    // The other nodes know it as a topic without names. They must not read the next change as a change of its names.
    this.#dirtyOf(topic).renamed = true;
  }

  #dirtyOf(topic: Topic): Dirty {
    let dirty = this.#dirty.get(topic);
    if (dirty === undefined) {
      dirty = { ids: new Set(), renamed: false };
      this.#dirty.set(topic, dirty);
    }
    return dirty;
  }

  #changeOf(topic: Topic, { ids, renamed }: Dirty): TopicChange {
    const own = this.#topics.get(topic);
    if (own?.members === undefined || own.omits) return counted(topic, own?.count ?? 0);
    if (renamed) return { topic, count: own.count, kind: 'renamed', joined: membersOf(own), left: [] };
    const joined: Member[] = [];
    const left: string[] = [];
    for (const id of ids) {
      const known = own.members.get(id);
      if (known === undefined) left.push(id);
      else joined.push(known.member);
    }
    return { topic, count: own.count, kind: 'named', joined, left };
  }
}

function membersOf({ members }: OwnTopic): Member[] {
  return Array.from(members?.values() ?? [], ({ member }) => member);
}
