import type { Topic } from '../protocol/topic.ts';
import type { MemberBudget } from './budget.ts';
import type { Member } from './member.ts';
import type { TopicChange } from './topic-change.ts';
import type { PresenceRules, Union } from './union.ts';

interface PeerTopic {
  readonly rules: PresenceRules;
  count: number;
  /** Undefined: the node does not name them, or they do not fit the budget. */
  members: Map<string, Member> | undefined;
}

export interface PeerTopicsOptions {
  readonly union: Union;
  readonly budget: MemberBudget;
  /** Undefined: on this node the topic has no presence. */
  readonly rulesOf: (topic: Topic) => PresenceRules | undefined;
  /** Shared by all other nodes. Topics above the limit are ignored. */
  readonly topics: TopicAllowance;
}

/** Limits the topics that are known of all other nodes together. */
export class TopicAllowance {
  readonly #max: number;
  #taken = 0;
  /** Times that a topic was refused. */
  refused = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  take(): boolean {
    if (this.#taken < this.#max) {
      this.#taken++;
      return true;
    }
    this.refused++;
    return false;
  }

  giveBack(): void {
    this.#taken--;
  }
}

/** The members of the topics of one other node, as that node reports them. Changes go into the union. */
export class PeerTopics {
  readonly #options: PeerTopicsOptions;
  readonly #topics = new Map<Topic, PeerTopic>();
  /** Some topic was refused, so an unknown topic is not necessarily a new one. */
  #isPartial = false;

  constructor(options: PeerTopicsOptions) {
    this.#options = options;
  }

  apply(change: TopicChange, nowMs: number): void {
    if (change.count === 0 && change.kind === 'counted') return this.#remove(change.topic, nowMs);
    const known = this.#topics.get(change.topic);
    const peerTopic = known ?? this.#add(change);
    if (peerTopic === undefined) return;
    this.#options.union.count(change.topic, change.count - peerTopic.count, nowMs);
    peerTopic.count = change.count;
    if (!peerTopic.rules.named) return;
    if (change.kind === 'counted') this.#omit(change.topic, peerTopic);
    else if (change.kind === 'renamed') this.#rename(change.topic, peerTopic, change.joined);
    else this.#change(change.topic, peerTopic, change);
  }

  /** Replaces everything by the whole state of the node. The order matters: a topic may be split over several changes. */
  replace(changes: readonly TopicChange[], nowMs: number): void {
    const whole = new Map<Topic, TopicChange>();
    for (const change of changes) {
      const before = change.kind === 'named' ? whole.get(change.topic) : undefined;
      whole.set(change.topic, before === undefined ? change : { ...before, joined: [...before.joined, ...change.joined] });
    }
    for (const topic of [...this.#topics.keys()]) if (!whole.has(topic)) this.#remove(topic, nowMs);
    this.#isPartial = false;
    for (const change of whole.values()) this.apply(change, nowMs);
  }

  /** The node is gone: its connections no longer count. Its members stay until {@link clear}, because they may reconnect to another node. */
  countNone(nowMs: number): void {
    for (const [topic, peerTopic] of this.#topics) {
      this.#options.union.count(topic, -peerTopic.count, nowMs);
      peerTopic.count = 0;
    }
  }

  clear(nowMs: number): void {
    for (const topic of [...this.#topics.keys()]) this.#remove(topic, nowMs);
  }

  #add({ topic, kind }: TopicChange): PeerTopic | undefined {
    const rules = this.#options.rulesOf(topic);
    if (rules === undefined) return undefined;
    if (!this.#options.topics.take()) {
      this.#isPartial = true;
      return undefined;
    }
    const added: PeerTopic = { rules, count: 0, members: rules.named ? new Map() : undefined };
    this.#topics.set(topic, added);
    if (this.#isPartial && kind === 'named') this.#omit(topic, added);
    return added;
  }

  #remove(topic: Topic, nowMs: number): void {
    const known = this.#topics.get(topic);
    if (known === undefined) return;
    const { union } = this.#options;
    union.count(topic, -known.count, nowMs);
    if (known.members !== undefined) this.#releaseAll(topic, known.members);
    else if (known.rules.named) union.omit(topic, -1);
    this.#topics.delete(topic);
    this.#options.topics.giveBack();
  }

  #omit(topic: Topic, peerTopic: PeerTopic): void {
    const { members } = peerTopic;
    if (members === undefined) return;
    peerTopic.members = undefined;
    this.#options.union.omit(topic, 1);
    this.#releaseAll(topic, members);
  }

  #rename(topic: Topic, peerTopic: PeerTopic, named: readonly Member[]): void {
    const wasOmitted = peerTopic.members === undefined;
    peerTopic.members ??= new Map();
    const ids = new Set(named.map(({ id }) => id));
    const left = [...peerTopic.members.keys()].filter((id) => !ids.has(id));
    this.#names(topic, peerTopic, named, left);
    if (wasOmitted) this.#options.union.omit(topic, -1);
  }

  /** Ignores changes of members if the topic is only counted: its members did not fit the budget. */
  #change(topic: Topic, peerTopic: PeerTopic, { joined, left }: TopicChange): void {
    if (peerTopic.members !== undefined) this.#names(topic, peerTopic, joined, left);
  }

  #names(topic: Topic, peerTopic: PeerTopic, joined: readonly Member[], left: readonly string[]): void {
    const { union, budget } = this.#options;
    const { members } = peerTopic;
    if (members === undefined) return;
    for (const id of left) {
      const member = members.get(id);
      if (member === undefined) continue;
      members.delete(id);
      budget.giveBack([member]);
      union.remove(topic, id);
    }
    for (const member of joined) {
      if (members.has(member.id)) continue;
      if (!budget.take(member)) return this.#omit(topic, peerTopic);
      members.set(member.id, member);
      union.add(topic, member);
    }
  }

  #releaseAll(topic: Topic, members: ReadonlyMap<string, Member>): void {
    for (const id of members.keys()) this.#options.union.remove(topic, id);
    this.#options.budget.giveBack(members.values());
  }
}
