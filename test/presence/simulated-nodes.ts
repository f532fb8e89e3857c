import { MemberBudget } from '../../src/presence/budget.ts';
import { Exchange, SILENT_MS, TELL_MS } from '../../src/presence/exchange.ts';
import { memberOf } from '../../src/presence/member.ts';
import { decodePresence, encodePresence, type PresenceMessage } from '../../src/presence/messages.ts';
import { Tracker } from '../../src/presence/tracker.ts';
import { type PresenceChange, type PresenceRules, type PresenceState, Union } from '../../src/presence/union.ts';
import type { Topic } from '../../src/protocol/topic.ts';

export const GRACE_MS = 3000;
export const STEP_MS = 250;
/** Time without loss after which all nodes agree: the longest pause between two requests, the timeout of a node, and the grace time of its members. */
export const SETTLED_MS = 8000 + SILENT_MS + 2 * GRACE_MS + 4 * TELL_MS;

export interface SimulatedConnection {
  readonly id: string;
  readonly user: string | null;
  readonly topic: Topic;
  readonly node: SimulatedNode;
  readonly source: number;
}

export interface WorldOptions {
  readonly rules?: PresenceRules;
  readonly bytesMax?: number;
  readonly topicsMax?: number;
  readonly topics: readonly Topic[];
}

/** Nodes with presence, the network between them, and the real members. */
export class SimulatedCluster {
  readonly options: WorldOptions;
  readonly nodes = new Set<SimulatedNode>();
  readonly connections = new Map<string, SimulatedConnection>();
  /** Messages that are not delivered, by chance or by plan. */
  loses: (from: SimulatedNode, to: SimulatedNode, message: PresenceMessage) => boolean = () => false;
  nowMs = 1_000_000;
  messages = 0;
  #next = 1;

  constructor(options: WorldOptions) {
    this.options = options;
  }

  get rules(): PresenceRules {
    return this.options.rules ?? { named: true, membersMax: 500 };
  }

  start(): SimulatedNode {
    const node = new SimulatedNode(this, `i${this.#next++}`);
    this.nodes.add(node);
    node.exchange.start();
    return node;
  }

  /** Like `kill -9`: no node is told. */
  kill(node: SimulatedNode): void {
    this.nodes.delete(node);
    for (const connection of this.connections.values()) if (connection.node === node) this.connections.delete(connection.id);
  }

  connect(node: SimulatedNode, topic: Topic, user: string | null, source = 0): SimulatedConnection {
    const connection = { id: `c${this.#next++}`, user, topic, node, source };
    this.connections.set(connection.id, connection);
    node.report(connection, 1, false);
    return connection;
  }

  end(connection: SimulatedConnection, closed = true): void {
    if (this.connections.delete(connection.id)) connection.node.report(connection, -1, closed);
  }

  crashWorker(node: SimulatedNode, source: number): void {
    for (const connection of this.connections.values()) {
      if (connection.node === node && connection.source === source) this.connections.delete(connection.id);
    }
    node.tracker.removeSource(source, this.nowMs);
  }

  advance(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += STEP_MS;
      for (const node of this.nodes) node.step();
    }
  }

  deliver(from: SimulatedNode, message: PresenceMessage, to: string | undefined): void {
    this.messages++;
    // Encoded and decoded, as over the wire.
    const received = decodePresence(encodePresence(message)) as PresenceMessage;
    for (const node of [...this.nodes]) {
      if (node === from || (to !== undefined && node.instance !== to)) continue;
      if (this.nodes.has(from) && !this.loses(from, node, message)) node.exchange.receive(received, this.nowMs);
    }
  }

  /** The real state. */
  truth(topic: Topic): { readonly count: number; readonly members: string[] } {
    const there = [...this.connections.values()].filter((connection) => connection.topic === topic);
    const members = new Set(there.map(({ user, id }) => memberOf(user, id, undefined).id));
    return { count: there.length, members: [...members].sort() };
  }
}

export class SimulatedNode {
  readonly instance: string;
  readonly union: Union;
  readonly budget: MemberBudget;
  readonly tracker: Tracker;
  readonly exchange: Exchange;
  readonly watched = new Map<Topic, Watched>();
  readonly #cluster: SimulatedCluster;

  constructor(cluster: SimulatedCluster, instance: string) {
    const { options, rules } = cluster;
    const rulesOf = () => rules;
    this.#cluster = cluster;
    this.instance = instance;
    this.union = new Union({ rulesOf, graceMs: GRACE_MS, countIntervalMs: 1000 });
    this.budget = new MemberBudget(options.bytesMax ?? Number.POSITIVE_INFINITY);
    const { union, budget } = this;
    this.tracker = new Tracker({ union, budget, rulesOf, graceMs: GRACE_MS });
    this.exchange = new Exchange({
      instance,
      union,
      budget,
      tracker: this.tracker,
      rulesOf,
      graceMs: GRACE_MS,
      peersMax: 100,
      topicsMax: options.topicsMax ?? 1000,
      send: (message, to) => cluster.deliver(this, message, to),
    });
    for (const topic of options.topics) this.watched.set(topic, new Watched(union.watch(topic, cluster.nowMs)));
  }

  report({ topic, user, id, source }: SimulatedConnection, delta: number, closed: boolean): void {
    const members = this.#cluster.rules.named ? [{ member: memberOf(user, id, undefined), delta, closed }] : [];
    this.tracker.report(source, { topic, delta, members }, this.#cluster.nowMs);
  }

  step(): void {
    const { nowMs } = this.#cluster;
    this.tracker.expire(nowMs);
    if (nowMs % TELL_MS === 0) this.exchange.tell();
    this.exchange.step(nowMs);
    for (const change of this.union.take(nowMs)) this.watched.get(change.topic)?.apply(change, nowMs);
  }

  state(topic: Topic): { readonly count: number; readonly members: string[] | undefined } {
    const { count, members } = this.union.state(topic, this.#cluster.nowMs);
    return { count, members: members?.map(({ id }) => id).sort() };
  }
}

/** A topic's state as one watcher built it from its messages. */
export class Watched {
  count: number;
  members: Set<string> | undefined;
  /** Each change, as text. */
  readonly log: string[] = [];
  readonly times: number[] = [];

  constructor({ count, members }: PresenceState) {
    this.count = count;
    this.members = members && new Set(members.map(({ id }) => id));
  }

  apply({ count, members, joined = [], left = [], omitted }: PresenceChange, nowMs: number): void {
    this.count = count;
    if (omitted) this.members = undefined;
    if (members !== undefined) this.members = new Set(members.map(({ id }) => id));
    for (const { id } of joined) {
      if (this.members?.has(id) !== false) throw new Error(`${id} joined, and was there`);
      this.members.add(id);
    }
    for (const { id } of left) if (!this.members?.delete(id)) throw new Error(`${id} left, and was not there`);
    const names = [...joined.map(({ id }) => `+${id}`), ...left.map(({ id }) => `-${id}`)].join(' ');
    this.log.push(omitted ? 'omitted' : members !== undefined ? 'named' : names);
    this.times.push(nowMs);
  }

  get state(): { readonly count: number; readonly members: string[] | undefined } {
    return { count: this.count, members: this.members && [...this.members].sort() };
  }
}
