import { Packr, Unpackr } from 'msgpackr';
import { ConnectionMachine, type NextStep } from '../../../src/client/connection-machine.ts';
import type { ClientMessage, Item, Position, ServerMessage } from '../../../src/protocol/messages.ts';
import { ClientSocket } from '../swarm/socket.ts';
import { monoMs } from '../time.ts';
import type { Receiver } from './item-checker.ts';
import { Watcher } from './watcher.ts';

/** The SDK's defaults: what is measured is what its users get. */
const BACKOFF = { baseMs: 500, maxMs: 30_000, jitterMs: 1000, stableAfterMs: 5000 };
const RETRY_MS = 500;

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' });

/** What a client follows. */
export interface Wish {
  readonly topic: string;
  readonly durable: boolean;
  /** It gets `presence` messages. */
  readonly watches: boolean;
}

/** Told what happens to a client. */
export interface PersonEvents {
  connected(person: Person): void;
  /** It was connected. */
  disconnected(person: Person, code: number): void;
  subscribed(person: Person, topic: string): void;
  /** By the server. */
  unsubscribed(person: Person, topic: string): void;
  item(person: Person, topic: string, data: unknown): void;
  /** Durable publications are missing, and nothing was said about them. */
  gap(person: Person, topic: string): void;
  /** Its position is void: it was told that publications are missing. */
  declared(person: Person): void;
  left(person: Person, topic: string, user: string): void;
  result(person: Person, id: number, data: unknown): void;
  error(person: Person, code: string): void;
}

/** One connection of a user. It follows its topics, comes back when it is cut off, and tells everything that it receives. */
export class Person implements Receiver {
  readonly user: string;
  readonly wishes: readonly Wish[];
  readonly ids = new Set<number>();
  readonly watchers = new Map<string, Watcher>();
  /** On this connection. */
  readonly subscribed = new Set<string>();
  readonly port: number;
  connectionId = '';
  isConnected = false;
  closedWith: number | undefined;
  /** On the shared clock, of this connection. */
  connectedAtMs = 0;
  readonly #events: PersonEvents;
  readonly #token: string;
  readonly #machine: ConnectionMachine;
  readonly #positions = new Map<string, Position>();
  /** Topics from which it was removed: it does not subscribe to them again. */
  readonly #ended = new Set<string>();
  readonly #asked = new Map<number, Wish>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #socket: ClientSocket | undefined;
  #nextId = 1;
  #isAway = false;

  /** @param ports tried in turn */
  constructor(user: string, ports: readonly number[], token: string, wishes: readonly Wish[], events: PersonEvents) {
    this.user = user;
    this.port = ports[0] as number;
    this.wishes = wishes;
    this.#token = token;
    this.#events = events;
    this.#machine = new ConnectionMachine({
      urls: ports.map((port) => `ws://127.0.0.1:${port}/ws`),
      backoff: BACKOFF,
      random: Math.random,
    });
  }

  get name(): string {
    return `${this.user} (${this.connectionId})`;
  }

  /** It wants to be connected. */
  get isThere(): boolean {
    return this.#machine.state.status !== 'disconnected';
  }

  get isSettled(): boolean {
    return !this.isThere || (this.isConnected && this.wishes.every(({ topic }) => this.#ended.has(topic) || this.subscribed.has(topic)));
  }

  may(topic: string): boolean {
    return this.subscribed.has(topic);
  }

  start(): void {
    this.#isAway = false;
    this.#next(this.#machine.start());
  }

  /** Away without a goodbye. */
  leave(): void {
    if (!this.isThere) return;
    this.#isAway = true;
    this.#socket?.cut();
    this.#lost(1006, 'left', false);
  }

  /** After {@link leave}. A connection that the server has ended for ever stays away. */
  comeBack(): void {
    if (this.#isAway) this.start();
  }

  /** If it is away, it does not come back. */
  stayAway(): void {
    this.#isAway = false;
  }

  /** @returns the id of the call; undefined: not connected */
  call(method: string): number | undefined {
    if (!this.isConnected) return undefined;
    const id = this.#nextId++;
    this.#send({ type: 'call', id, method, data: { id } });
    return id;
  }

  #next(step: NextStep): void {
    if (step.kind === 'wait') this.#after(Math.max(0, step.untilMs - Date.now()), () => this.#next(this.#machine.due()));
    if (step.kind !== 'dial') return;
    const socket: ClientSocket = new ClientSocket(Number(new URL(step.url).port), this.#token, {
      opened: () => {},
      frame: (bytes, start, end) => {
        const value: ServerMessage | ServerMessage[] = unpackr.unpack(bytes.subarray(start, end));
        for (const message of Array.isArray(value) ? value : [value]) this.#receive(message);
      },
      ended: (code, text) => {
        if (this.#socket === socket) this.#lost(code, text, true);
      },
    });
    this.#socket = socket;
  }

  #lost(code: number, text: string, comesBack: boolean): void {
    this.#socket = undefined;
    this.closedWith = code;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#asked.clear();
    if (this.isConnected) {
      this.isConnected = false;
      this.#events.disconnected(this, code);
    }
    this.subscribed.clear();
    this.watchers.clear();
    if (comesBack) this.#next(this.#machine.lost({ code, text }, Date.now()));
    else this.#machine.stop({ code, text });
  }

  #after(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
  }

  #send(message: ClientMessage | readonly ClientMessage[]): void {
    this.#socket?.send(packr.pack(message));
  }

  #subscribe(wishes: readonly Wish[]): void {
    const commands = wishes.map((wish) => {
      const id = this.#nextId++;
      this.#asked.set(id, wish);
      const since = this.#positions.get(wish.topic);
      return { type: 'subscribe' as const, id, topic: wish.topic, presence: wish.watches, ...(since !== undefined && { since }) };
    });
    this.#send(commands);
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'connected':
        this.connectionId = message.connectionId;
        this.isConnected = true;
        this.connectedAtMs = monoMs();
        this.closedWith = undefined;
        this.#machine.connected(message, Date.now());
        this.#events.connected(this);
        return this.#subscribe(this.wishes.filter(({ topic }) => !this.#ended.has(topic)));
      case 'subscribed':
        return this.#onSubscribed(message);
      case 'batch':
        return this.#batch(message);
      case 'presence':
        return this.watchers.get(message.topic)?.take(message);
      case 'result':
        return this.#events.result(this, message.id, message.data);
      case 'resync':
        this.#events.declared(this);
        this.#positions.set(message.topic, { epoch: message.epoch, offset: message.offset });
        return;
      case 'closing':
        return this.#machine.closing(message);
      case 'error':
        return this.#failed(message);
      default:
        return;
    }
  }

  #onSubscribed({ id, topic, epoch, offset, recovered, items }: ServerMessage<'subscribed'>): void {
    const wish = this.#asked.get(id);
    if (wish === undefined || this.#ended.has(topic)) return;
    this.#asked.delete(id);
    this.subscribed.add(topic);
    if (wish.watches) this.watchers.set(topic, new Watcher((user) => this.#events.left(this, topic, user)));
    this.#events.subscribed(this, topic);
    if (!wish.durable) return;
    const since = this.#positions.get(topic);
    if (since === undefined) this.#positions.set(topic, { epoch, offset });
    else if (recovered) {
      this.#items(topic, items);
      this.#positions.set(topic, { epoch, offset: Math.max(offset, since.offset) });
    } else {
      this.#events.declared(this);
      this.#positions.set(topic, { epoch, offset });
    }
  }

  #batch({ topic, epoch, prev, items }: ServerMessage<'batch'>): void {
    const position = this.#positions.get(topic);
    if (position === undefined) return this.#items(topic, items);
    if (epoch !== position.epoch || prev > position.offset) this.#events.gap(this, topic);
    this.#items(
      topic,
      items.filter(([offset]) => offset > position.offset),
    );
    const last = items.at(-1);
    if (last !== undefined) this.#positions.set(topic, { epoch, offset: Math.max(position.offset, last[0]) });
  }

  #items(topic: string, items: readonly Item[]): void {
    for (const item of items) if (item.length > 1) this.#events.item(this, topic, item[2]);
  }

  #failed({ id, code, topic, retryable, retryAfterMs }: ServerMessage<'error'>): void {
    this.#events.error(this, code);
    if (id === undefined && topic !== undefined) {
      this.#ended.add(topic);
      return this.#unsubscribed(topic);
    }
    const wish = id === undefined ? undefined : this.#asked.get(id);
    if (wish === undefined) return;
    this.#asked.delete(id as number);
    // Spread, so that all clients of a topic do not ask at the same moment.
    if (retryable) this.#after((retryAfterMs ?? RETRY_MS) * (0.5 + Math.random()), () => this.#subscribe([wish]));
  }

  #unsubscribed(topic: string): void {
    if (this.subscribed.delete(topic)) this.#events.unsubscribed(this, topic);
    this.watchers.delete(topic);
  }
}
