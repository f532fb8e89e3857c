import { randomBytes } from 'node:crypto';
import type { Bus } from '../bus/bus.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { ToHub } from '../link/messages.ts';
import { MemberBudget } from '../presence/budget.ts';
import { Exchange, TELL_MS } from '../presence/exchange.ts';
import { decodePresence, encodePresence } from '../presence/messages.ts';
import { Tracker } from '../presence/tracker.ts';
import { type PresenceChange, type PresenceRules, type PresenceState, Union } from '../presence/union.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import type { Logger } from '../telemetry/log.ts';

/** Interval between two batches of changes for watchers. */
const STEP_MS = 250;
/** Interval between two counts of a topic whose members are not named, or do not change. */
const COUNT_MS = 1000;

export interface HubPresenceOptions {
  readonly config: Config;
  readonly bus: Pick<Bus, 'announce' | 'onAnnouncement' | 'onConnectedChange' | 'connected'>;
  readonly logger: Logger;
  /** Monotonic clock, in milliseconds. */
  readonly nowMs?: () => number;
}

export interface PresenceFigures {
  readonly topics: number;
  readonly memberBytes: number;
  readonly gaps: number;
  readonly statesSent: number;
  readonly topicsRefused: number;
}

/** True if any namespace has presence. Otherwise the node does no work for it. */
export function hasPresence({ namespaces }: Pick<Config, 'namespaces'>): boolean {
  return Object.values(namespaces).some(({ presence }) => presence !== 'off');
}

/** Presence on all nodes: takes the reports of this node's workers, exchanges them with the other nodes, and tells the workers that watch a topic. */
export class HubPresence {
  readonly #nowMs: () => number;
  readonly #logger: Logger;
  readonly #hasPresence: (topic: Topic) => boolean;
  readonly #union: Union;
  readonly #budget: MemberBudget;
  readonly #tracker: Tracker;
  readonly #exchange: Exchange;
  readonly #watchers = new Map<Topic, Set<HubEnd>>();
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #stopListening: readonly (() => void)[];
  #warned = false;

  constructor({ config, bus, logger, nowMs = () => performance.now() }: HubPresenceOptions) {
    const { graceMs, membersBytesMax, topicsMax } = config.tuning.presence;
    const instance = randomBytes(12).toString('base64url');
    const known = rulesByNamespace(config);
    const rulesOf = (topic: Topic) => known.get(namespaceOf(topic));
    const ownRulesOf = (topic: Topic) => rulesOf(topic) ?? { named: false, membersMax: 0 };
    this.#hasPresence = (topic) => known.has(namespaceOf(topic));
    this.#nowMs = nowMs;
    this.#logger = logger;
    // Steps are not exactly so far apart: a count that is due in some milliseconds must not wait for another step.
    this.#union = new Union({ rulesOf: ownRulesOf, graceMs, countIntervalMs: COUNT_MS - STEP_MS / 2 });
    this.#budget = new MemberBudget(membersBytesMax);
    this.#tracker = new Tracker({ union: this.#union, budget: this.#budget, rulesOf: ownRulesOf, graceMs });
    this.#exchange = new Exchange({
      instance,
      tracker: this.#tracker,
      union: this.#union,
      budget: this.#budget,
      rulesOf,
      graceMs,
      peersMax: config.tuning.hub.nodesMax,
      topicsMax,
      send: (message, to) => bus.announce(to === undefined ? 'presence.all' : `presence.${to}`, encodePresence(message)),
    });
    const receive = (data: Uint8Array) => {
      const message = decodePresence(data);
      if (message !== undefined) this.#exchange.receive(message, this.#nowMs());
    };
    this.#stopListening = [
      bus.onAnnouncement('presence.all', receive),
      bus.onAnnouncement(`presence.${instance}`, receive),
      bus.onConnectedChange((connected) => this.#exchange.setConnected(connected, this.#nowMs())),
    ];
    this.#exchange.start();
    this.#exchange.tell();
    this.#timers = [setInterval(() => this.#step(), STEP_MS), setInterval(() => this.#exchange.tell(), TELL_MS)];
  }

  get figures(): PresenceFigures {
    const { gaps, statesSent } = this.#exchange.counters;
    return {
      topics: this.#union.size,
      memberBytes: this.#budget.bytes,
      gaps,
      statesSent,
      topicsRefused: this.#exchange.peerTopics.refused,
    };
  }

  /** @param worker its number */
  report(worker: number, { reports }: Extract<ToHub, { kind: 'presenceReport' }>): void {
    const nowMs = this.#nowMs();
    for (const report of reports) this.#tracker.report(worker, report, nowMs);
  }

  /** Sends the worker the state of the topic, and then its changes. */
  watch(link: HubEnd, topic: Topic): void {
    const nowMs = this.#nowMs();
    const others = this.#watchers.get(topic);
    if (others === undefined) {
      this.#watchers.set(topic, new Set([link]));
      link.send({ kind: 'presenceState', topic, state: this.#union.watch(topic, nowMs) });
      return;
    }
    // All workers start from the same state, so that the next changes are the same for all.
    const change = this.#union.takeOne(topic, nowMs);
    if (change !== undefined) for (const other of others) other.send({ kind: 'presenceChanges', changes: [change] });
    others.add(link);
    link.send({ kind: 'presenceState', topic, state: this.#union.state(topic, nowMs) });
  }

  unwatch(link: HubEnd, topic: Topic): void {
    const watchers = this.#watchers.get(topic);
    watchers?.delete(link);
    if (watchers?.size !== 0) return;
    this.#watchers.delete(topic);
    this.#union.unwatch(topic);
  }

  /** How the topic is now; undefined: its namespace has no presence. */
  state(topic: Topic): PresenceState | undefined {
    return this.#hasPresence(topic) ? this.#union.state(topic, this.#nowMs()) : undefined;
  }

  answer(link: HubEnd, { requestId, topic }: Extract<ToHub, { kind: 'presenceAsk' }>): void {
    link.send({ kind: 'presenceAnswer', requestId, state: this.#union.state(topic, this.#nowMs()) });
  }

  removeWorker(link: HubEnd, worker: number): void {
    this.#tracker.removeSource(worker, this.#nowMs());
    for (const topic of [...this.#watchers.keys()]) this.unwatch(link, topic);
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const stop of this.#stopListening) stop();
    this.#exchange.stop();
  }

  #step(): void {
    const nowMs = this.#nowMs();
    this.#tracker.expire(nowMs);
    this.#exchange.step(nowMs);
    const byWorker = new Map<HubEnd, PresenceChange[]>();
    for (const change of this.#union.take(nowMs)) {
      for (const link of this.#watchers.get(change.topic) ?? []) {
        const changes = byWorker.get(link);
        if (changes === undefined) byWorker.set(link, [change]);
        else changes.push(change);
      }
    }
    for (const [link, changes] of byWorker) link.send({ kind: 'presenceChanges', changes });
    this.#warnOfRefusals();
  }

  #warnOfRefusals(): void {
    const { refused, taken } = this.#exchange.peerTopics;
    if (refused === 0 || this.#warned) return;
    this.#warned = true;
    this.#logger.warn(
      { topics: taken },
      'other nodes have more topics with presence than tuning.presence.topicsMax: their subscribers are not counted here',
    );
  }
}

function rulesByNamespace(config: Config): ReadonlyMap<string, PresenceRules> {
  const rules = new Map<string, PresenceRules>();
  for (const name of Object.keys(config.namespaces)) {
    const { presence = 'off', presenceMembersMax = 0 } = namespaceOptions(config, name) ?? {};
    if (presence !== 'off') rules.set(name, { named: presence === 'members', membersMax: presenceMembersMax });
  }
  return rules;
}
