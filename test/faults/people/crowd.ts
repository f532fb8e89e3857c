import { setTimeout as sleep } from 'node:timers/promises';
import { makeToken } from '../../../loadtest/swarm/token.ts';
import { monoMs } from '../time.ts';
import { ItemChecker } from './item-checker.ts';
import { LimitWatch } from './limit-watch.ts';
import { Person, type PersonEvents, type Wish } from './person.ts';
import type {
  CrowdReport,
  CrowdSettings,
  CrowdState,
  DeliveryAnswer,
  DeliveryQuestion,
  OpenRequest,
  PresenceTruth,
  UserConnections,
} from './settings.ts';
import { TopicTruth } from './topic-truth.ts';
import { HALL, roomOf, talkOf, userName } from './topics.ts';
import type { Watcher } from './watcher.ts';

const POLL_MS = 10;
/** Below `tuning.commands.callsInFlightMax` of a node. */
const CALLS_MAX = 500;
const EXAMPLES_MAX = 10;

/** Many users with several connections each, on all nodes, in one process. Knows who is really there, and judges everything that they receive. */
export class Crowd implements PersonEvents {
  readonly #settings: CrowdSettings;
  readonly #persons: Person[] = [];
  readonly #byUser = new Map<string, Person[]>();
  readonly #truths = new Map<string, TopicTruth>();
  readonly #items = new ItemChecker();
  readonly #limit: LimitWatch;
  readonly #calls = new Map<string, number>();
  readonly #closeCodes: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  readonly #examples: string[] = [];
  #lost = 0;
  #declared = 0;
  #foreignAnswers = 0;
  #contradictions = 0;
  #falseLeaves = 0;
  #lastJoinAtMs = 0;
  #lastLeaveAtMs = 0;
  #onSettled = () => {};

  constructor(settings: CrowdSettings) {
    this.#settings = settings;
    this.#limit = new LimitWatch(settings.connectionsMax);
    const { users, singles, connectionsPerUser, ports, rooms } = settings;
    // One connection of each user after the other, so that the connections of a user have ages. They are on all nodes, as are those of a room.
    for (let n = 0; n < connectionsPerUser; n++) {
      const count = n === 0 ? users + singles : users;
      for (let i = 0; i < count; i++) {
        const round = Math.floor(i / rooms);
        this.#add(i, turned(ports, i + round + n), n === 0 && round < ports.length);
      }
    }
  }

  /** Resolves when every connection is open and subscribed. */
  async connect(): Promise<void> {
    const { inFlightMax } = this.#settings;
    let started = 0;
    await new Promise<void>((resolve) => {
      const more = () => {
        let unsettled = this.#persons.slice(0, started).filter((person) => !person.isSettled).length;
        for (; started < this.#persons.length && unsettled < inFlightMax; unsettled++) this.#persons[started++]?.start();
        if (unsettled === 0) resolve();
      };
      const timer = setInterval(more, POLL_MS);
      this.#onSettled = () => clearInterval(timer);
      more();
    });
    this.#onSettled();
  }

  state(): CrowdState {
    const unsettled = this.#persons.filter((person) => !person.isSettled);
    const presence = Object.fromEntries([...this.#truths].map(([topic, truth]) => [topic, truth.state()]));
    const wrong = (why: (watcher: Watcher, truth: PresenceTruth) => string | undefined) =>
      this.#persons.flatMap(({ name, watchers }) =>
        [...watchers].flatMap(([topic, watcher]) => {
          const text = why(watcher, presence[topic] ?? { count: 0, users: [] });
          return text === undefined ? [] : [`${name} on ${topic}: ${text}`];
        }),
      );
    return {
      presence,
      settled: unsettled.length === 0,
      unsettled: unsettled.slice(0, EXAMPLES_MAX).map(describe),
      open: this.#persons.filter(({ isConnected }) => isConnected).length,
      lastJoinAtMs: this.#lastJoinAtMs,
      lastLeaveAtMs: this.#lastLeaveAtMs,
      wrongLists: wrong((watcher, truth) => watcher.wrongList(truth)),
      wrongCounts: wrong((watcher, truth) => watcher.wrongCount(truth)),
    };
  }

  /** All connections of these users are cut, and stay away. */
  leave({ users }: { readonly users: readonly string[] }): void {
    for (const user of users) for (const person of this.#byUser.get(user) ?? []) person.leave();
  }

  comeBack({ users }: { readonly users: readonly string[] }): void {
    for (const user of users) for (const person of this.#byUser.get(user) ?? []) person.comeBack();
  }

  /** Opens further connections of a user, all at once. Those that are away do not come back, or they would be too many. */
  open({ user, ports }: OpenRequest): void {
    for (const person of this.#byUser.get(user) ?? []) person.stayAway();
    const index = Number(user.slice(userName(0).length - 1));
    const all = this.#settings.ports;
    for (const port of ports) this.#add(index, turned(all, all.indexOf(port)), false).start();
  }

  connectionsOf({ user }: { readonly user: string }): UserConnections {
    const persons = this.#byUser.get(user) ?? [];
    return {
      connections: persons.map(({ connectionId, connectedAtMs, isConnected: open, closedWith, subscribed, port }) => ({
        connectionId,
        connectedAtMs,
        open,
        port,
        closedWith,
        topics: [...subscribed],
      })),
    };
  }

  /** Waits until each of these was received by all who were subscribed to its topic when this was called, and are still. */
  async delivered({ messages, timeoutMs }: DeliveryQuestion): Promise<DeliveryAnswer> {
    const due = messages.flatMap(({ id, topic }) =>
      this.#persons.filter((person) => person.may(topic)).map((person) => ({ id, topic, person, on: person.connectionId })),
    );
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const missing = due.filter(({ id, topic, person, on }) => person.connectionId === on && person.may(topic) && !person.ids.has(id));
      if (missing.length === 0 || performance.now() > deadlineMs) {
        const examples = missing.slice(0, EXAMPLES_MAX).map(({ id, topic, person }) => `${id} of ${topic} to ${describe(person)}`);
        return { expected: due.length, missing: missing.length, examples };
      }
      await sleep(POLL_MS);
    }
  }

  /** Every open connection calls the method. Resolves when all have an answer, or after the time. @returns answers that are missing */
  async callAll({ method, timeoutMs }: { readonly method: string; readonly timeoutMs: number }): Promise<number> {
    const deadlineMs = performance.now() + timeoutMs;
    for (const person of this.#persons) {
      while (this.#calls.size >= CALLS_MAX && performance.now() < deadlineMs) await sleep(POLL_MS);
      const id = person.call(method);
      if (id !== undefined) this.#calls.set(`${person.connectionId}/${id}`, id);
    }
    while (this.#calls.size > 0 && performance.now() < deadlineMs) await sleep(POLL_MS);
    const missing = this.#calls.size;
    this.#calls.clear();
    return missing;
  }

  setNatsAway({ away }: { readonly away: boolean }): void {
    this.#limit.pause(away, monoMs());
  }

  /** @param sent topic by id: everything that anybody published */
  report({ sent }: { readonly sent: readonly (readonly [number, string])[] }): CrowdReport {
    const { received, foreign, duplicates, unclean, examples } = this.#items;
    const invented = this.#items.invented(new Map(sent));
    const watchers = this.#persons.flatMap((person) => [...person.watchers.values()]);
    return {
      ...{ received, foreign, duplicates, unclean, invented },
      lost: this.#lost,
      declared: this.#declared,
      foreignAnswers: this.#foreignAnswers,
      contradictions: this.#contradictions + watchers.reduce((sum, { contradictions }) => sum + contradictions, 0),
      falseLeaves: this.#falseLeaves,
      watched: watchers.length,
      overLimitMaxMs: Math.round(this.#limit.longestMs(monoMs())),
      closeCodes: this.#closeCodes,
      errors: this.#errors,
      examples: [...examples, ...this.#examples],
    };
  }

  destroy(): void {
    this.#onSettled();
    for (const person of this.#persons) person.leave();
  }

  connected({ user }: Person): void {
    this.#limit.opened(user, monoMs());
  }

  disconnected(person: Person, code: number): void {
    const nowMs = monoMs();
    this.#closeCodes[code] = (this.#closeCodes[code] ?? 0) + 1;
    this.#limit.closed(person.user, nowMs);
    for (const topic of person.subscribed) this.#leaves(person, topic, nowMs, false);
    for (const { contradictions } of person.watchers.values()) this.#contradictions += contradictions;
  }

  subscribed(person: Person, topic: string): void {
    const truth = this.#truths.get(topic);
    if (truth === undefined) return;
    this.#lastJoinAtMs = monoMs();
    truth.join(person.user, this.#lastJoinAtMs);
  }

  unsubscribed(person: Person, topic: string): void {
    this.#contradictions += person.watchers.get(topic)?.contradictions ?? 0;
    this.#leaves(person, topic, monoMs(), true);
  }

  item(person: Person, topic: string, data: unknown): void {
    this.#items.take(person, topic, data);
  }

  gap(person: Person, topic: string): void {
    this.#lost++;
    this.#example(`${person.name} misses something of ${topic}`);
  }

  declared(): void {
    this.#declared++;
  }

  left(person: Person, topic: string, user: string): void {
    if (this.#truths.get(topic)?.mayHaveLeft(user, monoMs()) !== false) return;
    this.#falseLeaves++;
    this.#example(`${person.name} was told that ${user} had left ${topic}`);
  }

  result(person: Person, id: number, data: unknown): void {
    this.#calls.delete(`${person.connectionId}/${id}`);
    const { user, connection, asked } = (data ?? {}) as { user?: string; connection?: string; asked?: { id?: number } };
    if (user === person.user && connection === person.connectionId && asked?.id === id) return;
    this.#foreignAnswers++;
    this.#example(`${person.name} got ${JSON.stringify(data)} for call ${id}`);
  }

  error(_: Person, code: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  #leaves({ user }: Person, topic: string, nowMs: number, unsubscribed: boolean): void {
    const truth = this.#truths.get(topic);
    if (truth === undefined) return;
    this.#lastLeaveAtMs = nowMs;
    truth.leave(user, nowMs, unsubscribed);
  }

  #add(index: number, ports: readonly number[], watches: boolean): Person {
    const { rooms, graceMs, tokenSecret } = this.#settings;
    const user = userName(index);
    const room = roomOf(index % rooms);
    const wishes: Wish[] = [
      { topic: `user.${user}`, durable: false, watches: false },
      { topic: room, durable: true, watches },
      { topic: talkOf(index % rooms), durable: false, watches: false },
      { topic: HALL, durable: false, watches: watches && index < ports.length },
    ];
    for (const topic of [room, HALL]) if (!this.#truths.has(topic)) this.#truths.set(topic, new TopicTruth(graceMs));
    const token = makeToken(user, tokenSecret, { call: ['>'], iat: Math.floor(Date.now() / 1000) });
    const person = new Person(user, ports, token, wishes, this);
    this.#persons.push(person);
    this.#byUser.set(user, [...(this.#byUser.get(user) ?? []), person]);
    return person;
  }

  #example(text: string): void {
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(text);
  }
}

function turned<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function describe({ name, isConnected, subscribed, closedWith }: Person): string {
  return `${name}: ${isConnected ? `subscribed to ${[...subscribed]}` : `closed with ${closedWith}`}`;
}
