import type { Topic } from '../protocol/topic.ts';
import type { Member } from './member.ts';
import { Peak } from './peak.ts';

/** The presence options of a namespace. */
export interface PresenceRules {
  /** True: members are named. False: they are only counted. */
  readonly named: boolean;
  /** A topic with more members is only counted. */
  readonly membersMax: number;
}

/** The current presence of a topic. */
export interface PresenceState {
  /** Number of connections. */
  readonly count: number;
  /** Undefined: members are only counted. */
  readonly members: readonly Member[] | undefined;
  /** Members are not named only because there are too many. */
  readonly omitted: boolean;
}

/** What changed in a topic since its watchers were last told. */
export interface PresenceChange {
  readonly topic: Topic;
  readonly count: number;
  /** The full list: members are named from now on. */
  readonly members?: readonly Member[];
  readonly joined?: readonly Member[];
  readonly left?: readonly Member[];
  /** There are too many members: they are no longer named. */
  readonly omitted?: true;
}

interface UnionMember {
  readonly member: Member;
  nodes: number;
}

/** What the watchers of a topic were told. */
interface Told {
  count: number;
  countAtMs: number;
  named: boolean;
  /** Members that joined or left since then. The value is what watchers were told of them; undefined: they were not members. */
  readonly touched: Map<string, Member | undefined>;
}

interface UnionTopic {
  readonly rules: PresenceRules;
  total: number;
  /** Set while the total is lower than in the last grace time. */
  peak: Peak | undefined;
  readonly members: Map<string, UnionMember>;
  /** Number of nodes that do not name the topic's members. */
  omitting: number;
  named: boolean;
  told: Told | undefined;
}

export interface UnionOptions {
  readonly rulesOf: (topic: Topic) => PresenceRules;
  readonly graceMs: number;
  /** Minimum interval between two updates with only a count. */
  readonly countIntervalMs: number;
}

/** A topic with too many members is named again when it is below this share of the maximum. So it does not switch with every single member. */
export const NAMED_AGAIN = 0.9;

/**
 * The members of all topics on all nodes. The changes of each node are applied here. The changes for watchers are taken out in batches.
 */
export class Union {
  readonly #options: UnionOptions;
  readonly #topics = new Map<Topic, UnionTopic>();
  /** Watched topics that may have changes for their watchers. */
  readonly #changed = new Set<Topic>();
  /** Topics whose total fell within the grace time. */
  readonly #falling = new Set<Topic>();

  constructor(options: UnionOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** Adds to the number of connections. */
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

  /** One more node has this member. */
  add(topic: Topic, member: Member): void {
    const entry = this.#entry(topic);
    const known = entry.members.get(member.id);
    if (known !== undefined) {
      known.nodes++;
      return;
    }
    this.#touchMember(entry, member.id, undefined);
    entry.members.set(member.id, { member, nodes: 1 });
    this.#touched(topic, entry);
  }

  /** One node less has this member. */
  remove(topic: Topic, id: string): void {
    const entry = this.#topics.get(topic);
    const known = entry?.members.get(id);
    if (entry === undefined || known === undefined || --known.nodes > 0) return;
    entry.members.delete(id);
    this.#touchMember(entry, id, known.member);
    this.#touched(topic, entry);
  }

  /** One node more (1) or less (-1) only counts the topic's members. */
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

  /** Starts collecting the changes of the topic for {@link take}. @returns the state that they start from */
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

  /** Returns the changes that watchers must be told now, for all topics. */
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

  /** The same for one topic. All its watchers must be told. */
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
    // Otherwise the count must wait for its interval, or will still fall.
    if (told.count === count && entry.peak === undefined) this.#changed.delete(topic);
    return change;
  }

  #entry(topic: Topic): UnionTopic {
    let entry = this.#topics.get(topic);
    if (entry === undefined) {
      const rules = this.#options.rulesOf(topic);
      entry = { rules, total: 0, peak: undefined, members: new Map(), omitting: 0, named: rules.named, told: undefined };
      this.#topics.set(topic, entry);
    }
    return entry;
  }

  #touchMember({ told }: UnionTopic, id: string, before: Member | undefined): void {
    if (told !== undefined && !told.touched.has(id)) told.touched.set(id, before);
  }

  #touched(topic: Topic, entry: UnionTopic): void {
    const { rules, members, omitting } = entry;
    const most = entry.named ? rules.membersMax : rules.membersMax * NAMED_AGAIN;
    entry.named = rules.named && omitting === 0 && members.size <= most;
    if (entry.told !== undefined) this.#changed.add(topic);
    else this.#forgetIfEmpty(topic, entry);
  }

  #shown(entry: UnionTopic, nowMs: number): number {
    if (entry.peak === undefined) return entry.total;
    const shown = entry.peak.over(this.#options.graceMs, entry.total, nowMs);
    if (entry.peak.isOver) entry.peak = undefined;
    return shown;
  }

  #forgetIfEmpty(topic: Topic, { total, members, omitting, told, peak }: UnionTopic): void {
    if (total === 0 && members.size === 0 && omitting === 0 && told === undefined && peak === undefined) this.#topics.delete(topic);
  }
}

function changeOf(topic: Topic, entry: UnionTopic, told: Told, count: number, countIsDue: boolean): PresenceChange | undefined {
  if (entry.named !== told.named) return entry.named ? { topic, count, members: membersOf(entry) } : { topic, count, omitted: true };
  const joined: Member[] = [];
  const left: Member[] = [];
  if (entry.named) {
    for (const [id, before] of told.touched) {
      const now = entry.members.get(id)?.member;
      if (before === undefined && now !== undefined) joined.push(now);
      else if (before !== undefined && now === undefined) left.push(before);
    }
  }
  if (joined.length === 0 && left.length === 0) return count !== told.count && countIsDue ? { topic, count } : undefined;
  return { topic, count, ...(joined.length > 0 && { joined }), ...(left.length > 0 && { left }) };
}

function membersOf({ members }: UnionTopic): Member[] {
  return Array.from(members.values(), ({ member }) => member);
}
