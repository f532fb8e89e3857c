import type { Topic } from '../protocol/topic.ts';
import type { Member } from './member.ts';
import { Peak } from './peak.ts';

/** What a namespace's options say of its topics' presence. */
export interface PresenceRules {
  /** Members are told by name; else they are only counted. */
  readonly named: boolean;
  /** A topic with more members is only counted. */
  readonly membersMax: number;
}

/** How a topic is now. */
export interface PresenceState {
  /** Connections. */
  readonly count: number;
  /** Undefined: they are only counted. */
  readonly members: readonly Member[] | undefined;
  /** They would be named if there were not so many. */
  readonly omitted: boolean;
}

/** What became of a topic since its watchers were told the last time. */
export interface PresenceChange {
  readonly topic: Topic;
  readonly count: number;
  /** All of them: they are named from now on. */
  readonly members?: readonly Member[];
  readonly joined?: readonly Member[];
  readonly left?: readonly Member[];
  /** They are too many to be named, from now on. */
  readonly omitted?: true;
}

interface Holder {
  readonly member: Member;
  nodes: number;
}

/** What the watchers of a topic know. */
interface Told {
  count: number;
  countAtMs: number;
  named: boolean;
  /** Members that came or went since: as they were told, undefined where they were not there. */
  readonly touched: Map<string, Member | undefined>;
}

interface UnionTopic {
  readonly rules: PresenceRules;
  total: number;
  /** While the total is less than it was a moment ago. */
  peak: Peak | undefined;
  readonly holders: Map<string, Holder>;
  /** Nodes that count only. */
  omitting: number;
  named: boolean;
  told: Told | undefined;
}

export interface UnionOptions {
  readonly rulesOf: (topic: Topic) => PresenceRules;
  readonly graceMs: number;
  /** Between two counts of a topic that nothing else is to be told of. */
  readonly countIntervalMs: number;
}

/** A topic that was only counted is named again when it has this part of the most members: not at each one that goes and comes. */
export const NAMED_AGAIN = 0.9;

/**
 * Who is in which topic, of all nodes together. Each node's part is added and taken away here as it changes, and what changed for watchers is taken out in
 * batches.
 */
export class Union {
  readonly #options: UnionOptions;
  readonly #topics = new Map<Topic, UnionTopic>();
  /** Watched topics that perhaps have something to tell. */
  readonly #changed = new Set<Topic>();
  /** Topics whose total fell a moment ago. */
  readonly #falling = new Set<Topic>();

  constructor(options: UnionOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** A node has so many connections more, or less. */
  count(topic: Topic, delta: number, nowMs: number): void {
    if (delta === 0) return;
    const entry = this.#entry(topic);
    if (delta < 0) {
      entry.peak ??= new Peak();
      entry.peak.fell(entry.total, nowMs);
      this.#falling.add(topic);
    }
    entry.total += delta;
    this.#touched(topic, entry);
  }

  /** A node names the member. */
  hold(topic: Topic, member: Member): void {
    const entry = this.#entry(topic);
    const holder = entry.holders.get(member.id);
    if (holder !== undefined) {
      holder.nodes++;
      return;
    }
    this.#touchMember(entry, member.id, undefined);
    entry.holders.set(member.id, { member, nodes: 1 });
    this.#touched(topic, entry);
  }

  /** A node that named the member does not any more. */
  release(topic: Topic, id: string): void {
    const entry = this.#topics.get(topic);
    const holder = entry?.holders.get(id);
    if (entry === undefined || holder === undefined || --holder.nodes > 0) return;
    entry.holders.delete(id);
    this.#touchMember(entry, id, holder.member);
    this.#touched(topic, entry);
  }

  /** One node more (1) or less (-1) counts the topic without naming its members. */
  omit(topic: Topic, delta: 1 | -1): void {
    const entry = this.#entry(topic);
    entry.omitting += delta;
    this.#touched(topic, entry);
  }

  state(topic: Topic, nowMs: number): PresenceState {
    const entry = this.#topics.get(topic);
    const { named } = entry?.rules ?? this.#options.rulesOf(topic);
    if (entry === undefined) return { count: 0, members: named ? [] : undefined, omitted: false };
    return { count: this.#shown(entry, nowMs), members: entry.named ? membersOf(entry) : undefined, omitted: named && !entry.named };
  }

  /** From now on changes of the topic are kept for {@link take}. @returns what they start from */
  watch(topic: Topic, nowMs: number): PresenceState {
    const entry = this.#entry(topic);
    const state = this.state(topic, nowMs);
    entry.told = { count: state.count, countAtMs: nowMs, named: entry.named, touched: new Map() };
    this.#changed.delete(topic);
    if (entry.peak !== undefined) this.#changed.add(topic);
    return state;
  }

  unwatch(topic: Topic): void {
    const entry = this.#topics.get(topic);
    if (entry === undefined) return;
    entry.told = undefined;
    this.#changed.delete(topic);
    this.#forgetIfEmpty(topic, entry);
  }

  /** What watchers are to be told now, of all topics that changed. */
  take(nowMs: number): PresenceChange[] {
    const changes: PresenceChange[] = [];
    for (const topic of [...this.#changed]) {
      const change = this.takeOne(topic, nowMs);
      if (change !== undefined) changes.push(change);
    }
    for (const topic of [...this.#falling]) {
      const entry = this.#topics.get(topic);
      if (entry !== undefined) this.#shown(entry, nowMs);
      if (entry?.peak !== undefined) continue;
      this.#falling.delete(topic);
      if (entry !== undefined) this.#forgetIfEmpty(topic, entry);
    }
    return changes;
  }

  /** The same of one topic, whose watchers are all told. */
  takeOne(topic: Topic, nowMs: number): PresenceChange | undefined {
    const entry = this.#topics.get(topic);
    const told = entry?.told;
    if (entry === undefined || told === undefined) return undefined;
    const count = this.#shown(entry, nowMs);
    const change = changeOf(topic, entry, told, count, nowMs - told.countAtMs >= this.#options.countIntervalMs);
    if (change !== undefined) {
      told.count = count;
      told.countAtMs = nowMs;
      told.named = entry.named;
    }
    told.touched.clear();
    // A count that may not be told yet, or that has still to fall.
    if (told.count === count && entry.peak === undefined) this.#changed.delete(topic);
    return change;
  }

  #entry(topic: Topic): UnionTopic {
    let entry = this.#topics.get(topic);
    if (entry === undefined) {
      const rules = this.#options.rulesOf(topic);
      entry = { rules, total: 0, peak: undefined, holders: new Map(), omitting: 0, named: rules.named, told: undefined };
      this.#topics.set(topic, entry);
    }
    return entry;
  }

  #touchMember({ told }: UnionTopic, id: string, before: Member | undefined): void {
    if (told !== undefined && !told.touched.has(id)) told.touched.set(id, before);
  }

  #touched(topic: Topic, entry: UnionTopic): void {
    const { rules, holders, omitting } = entry;
    const most = entry.named ? rules.membersMax : rules.membersMax * NAMED_AGAIN;
    entry.named = rules.named && omitting === 0 && holders.size <= most;
    if (entry.told !== undefined) this.#changed.add(topic);
    else this.#forgetIfEmpty(topic, entry);
  }

  #shown(entry: UnionTopic, nowMs: number): number {
    if (entry.peak === undefined) return entry.total;
    const shown = entry.peak.over(this.#options.graceMs, entry.total, nowMs);
    if (entry.peak.isOver) entry.peak = undefined;
    return shown;
  }

  #forgetIfEmpty(topic: Topic, { total, holders, omitting, told, peak }: UnionTopic): void {
    if (total === 0 && holders.size === 0 && omitting === 0 && told === undefined && peak === undefined) this.#topics.delete(topic);
  }
}

function changeOf(topic: Topic, entry: UnionTopic, told: Told, count: number, countIsDue: boolean): PresenceChange | undefined {
  if (entry.named !== told.named) return entry.named ? { topic, count, members: membersOf(entry) } : { topic, count, omitted: true };
  const joined: Member[] = [];
  const left: Member[] = [];
  if (entry.named) {
    for (const [id, before] of told.touched) {
      const now = entry.holders.get(id)?.member;
      if (before === undefined && now !== undefined) joined.push(now);
      else if (before !== undefined && now === undefined) left.push(before);
    }
  }
  if (joined.length === 0 && left.length === 0) return count !== told.count && countIsDue ? { topic, count } : undefined;
  return { topic, count, ...(joined.length > 0 && { joined }), ...(left.length > 0 && { left }) };
}

function membersOf({ holders }: UnionTopic): Member[] {
  return Array.from(holders.values(), ({ member }) => member);
}
