import { Registry } from 'prom-client';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Delivery } from '../../src/delivery/delivery.ts';
import type { Receiver } from '../../src/delivery/receiver.ts';
import type { Wish } from '../../src/delivery/subscriptions.ts';
import { Hub } from '../../src/hub/hub.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import type { Tags } from '../../src/protocol/tags.ts';
import { type Key, namespaceOf, type Topic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { WorkerMetrics } from '../../src/worker/worker-metrics.ts';
import { busOfLogs } from './bus-of-logs.ts';
import { decodeMessages } from './decode-frame.ts';
import { DeltaFolder } from './delta-folder.ts';
import { PartJoiner } from './part-joiner.ts';
import { SimulatedLog } from './simulated-log.ts';
import { type SimulatedShards, SimulatedSocket } from './simulated-socket.ts';
import { TopicTracker } from './topic-tracker.ts';

const NAMESPACES = { plain: { public: true }, keyed: { public: true, state: 'keyed' } };
/** Small, so that every bound is met. */
const SETTINGS = {
  'tuning.recent.itemsPerTopicMax': 16,
  'tuning.recent.keysPerTopicMax': 2,
  'tuning.recovery.recoveryItemsMax': 12,
  'tuning.hub.topicLingerMs': 0,
  'tuning.hub.retryPauseMs': 1,
  'tuning.hub.watchdogIntervalMs': 10,
  'log.level': 'silent',
};

/**
 * A node that does not settle in so many rounds never will. Counted, not timed: a busy machine makes rounds longer, and each lets every timer that is due
 * do its work. The longest pause between two tries of the product, 5 s, is some 400 rounds.
 */
const SETTLE_ROUNDS_MAX = 3000;

/** So few that visits of both kinds come. */
const NATIVE_MEMBERS_MIN = 2;

export interface SimulatedNodeOptions {
  readonly clients: number;
  /** How many turns the log's answers take, one after the other, over and over. */
  readonly delays: readonly number[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly padBytes?: number;
  /** What is published; `uid` is a member of it. */
  readonly contentOf?: (uid: number) => unknown;
  /** What it is marked with. */
  readonly tagsOf?: (uid: number) => Tags;
  /** What clients ask for besides the state, in turn. */
  readonly wishes?: readonly Pick<Wish, 'delta' | 'maxRateHz' | 'fields' | 'filter' | 'parts'>[];
  /** Of clients, in turn; default: JSON. */
  readonly encodings?: readonly Encoding[];
  /** Topics have documents. */
  readonly documents?: boolean;
  /** The keyed namespace has a document for each key. */
  readonly keyedDocuments?: boolean;
  /** Clients read what {@link SimulatedNode.read} lets them. */
  readonly slow?: boolean;
}

export function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number) => (left <= 0 ? resolve() : setImmediate(() => next(left - 1)));
    next(count);
  });
}

/** What one client has received of one topic since its last resync or unrecovered subscribe. */
interface Run {
  /** The offset at which it began. */
  from: number;
  uids: number[];
}

/** A client by the protocol's rules, which notes what reaches its application. */
export class SimulatedClient {
  readonly trackers = new Map<Topic, TopicTracker>();
  readonly runs = new Map<Topic, Run>();
  /** Ids of `subscribe` commands whose answers have still to come. */
  readonly awaiting = new Map<Topic, number>();
  readonly values = new Map<Topic, DeltaFolder>();
  receiver: Receiver | undefined;
  socket: SimulatedSocket | undefined;
  largestFrameBytes = 0;
  readonly #joiners = new Map<Topic, PartJoiner>();
  readonly #hasDocuments: boolean;

  constructor(hasDocuments: boolean) {
    this.#hasDocuments = hasDocuments;
  }

  /** Batches that it has put together from parts. */
  get joined(): number {
    return [...this.#joiners.values()].reduce((sum, { joined }) => sum + joined, 0);
  }

  receive(message: ServerMessage): void {
    if (!('topic' in message) || message.topic === undefined) return;
    const topic = message.topic as Topic;
    const tracker = this.trackers.get(topic);
    const run = this.runs.get(topic);
    if (tracker === undefined || run === undefined) return;
    // Of a subscription before this one: what it asked for goes on from where it was then.
    const awaited = this.awaiting.get(topic);
    if (awaited !== undefined && (message.type !== 'subscribed' || message.id !== awaited)) return;
    this.awaiting.delete(topic);
    if (message.type === 'part') {
      const joiner = this.#joiners.get(topic) ?? new PartJoiner();
      this.#joiners.set(topic, joiner);
      const whole = joiner.add(message);
      return whole && this.receive(whole);
    }
    const before = tracker.items.length;
    const folder = this.values.get(topic) ?? new DeltaFolder(this.#hasDocuments);
    this.values.set(topic, folder);
    tracker.receive(folder.whole(message, tracker.last));
    const anew = message.type === 'resync' || (message.type === 'subscribed' && !message.recovered);
    if (anew) {
      run.from = message.offset;
      run.uids = [];
    } else for (const { data } of tracker.items.slice(before)) run.uids.push(uidOf(data));
  }
}

/** A hub and a worker, whole but for NATS below and uWebSockets above, with a few clients. */
export class SimulatedNode {
  readonly plain: SimulatedLog;
  readonly keyed: SimulatedLog;
  readonly clients: SimulatedClient[];
  readonly #hub: Hub;
  readonly #delivery: Delivery;
  readonly #shards: SimulatedShards = new Map();
  readonly #config: Config;
  readonly #subscribing = new Set<Promise<unknown>>();
  #nextConnection = 1;
  #nextId = 1;

  readonly #slow: boolean;

  readonly #wishes: NonNullable<SimulatedNodeOptions['wishes']>;
  readonly #encodings: readonly Encoding[];

  constructor({
    clients,
    delays,
    settings,
    padBytes,
    contentOf,
    tagsOf,
    wishes = [{}],
    encodings = ['json'],
    slow = false,
    documents = false,
    keyedDocuments = false,
  }: SimulatedNodeOptions) {
    this.#wishes = wishes;
    this.#encodings = encodings;
    this.#slow = slow;
    let nextDelay = 0;
    const delay = () => turns(delays[nextDelay++ % delays.length] ?? 0);
    this.#config = loadConfig({ env: {}, flags: { namespaces: NAMESPACES, ...SETTINGS, ...settings } }).config;
    const pad = { contentOf, tagsOf, ...(padBytes !== undefined && { padBytes }) };
    this.plain = new SimulatedLog({ namespace: 'plain', keyed: false, countMax: 1000, delay, ...pad });
    const keyed = keyedDocuments ? { patched: true, countMax: 1000 } : { countMax: 2 };
    this.keyed = new SimulatedLog({ namespace: 'keyed', keyed: true, ...keyed, delay, ...pad });
    this.clients = Array.from({ length: clients }, () => new SimulatedClient(documents || keyedDocuments));
    const logger = createLogger(this.#config.log);
    const bus = busOfLogs((name) => this.logOf(name));
    this.#hub = new Hub({ config: this.#config, bus, nodeId: 'node', logger, registry: new Registry(), pages: [] });

    const { hubEnd, workerEnd } = createInProcessLink();
    this.#delivery = new Delivery({
      config: this.#config,
      link: workerEnd,
      publish: (shard, frame) => {
        for (const socket of this.#shards.get(shard) ?? []) socket.send(frame);
      },
      receiverOf: (id) => this.clients.find(({ receiver }) => receiver?.id === id)?.receiver,
      metrics: new WorkerMetrics(0).delivery,
      onWorkerMessage: () => undefined,
      onBug: (error) => {
        throw error;
      },
      nativeMembersMin: NATIVE_MEMBERS_MIN,
      topicQueueFromBytes: 0,
    });
    workerEnd.onMessages((messages) => this.#delivery.receive(messages));
    this.#hub.links.attach(hubEnd, 0, 0, {
      onPrepared: () => undefined,
      onListening: () => undefined,
      onStartFailed: () => undefined,
      onDrained: () => undefined,
    });
  }

  logOf(namespace: string): SimulatedLog {
    return namespace === 'keyed' ? this.keyed : this.plain;
  }

  publish(topic: Topic, key: string, removed = false): void {
    const log = this.logOf(namespaceOf(topic));
    log.append(topic, log.keyed ? (key as Key) : null, log.keyed && removed);
  }

  /** The client reads so many bytes of what waits for it. */
  read(client: SimulatedClient, bytes: number): void {
    client.socket?.read(bytes);
  }

  /** Subscribes, or comes back with what it has. */
  subscribe(client: SimulatedClient, topic: Topic): void {
    client.receiver ??= this.#connect(client);
    const { receiver } = client;
    const tracker = client.trackers.get(topic) ?? new TopicTracker(topic);
    const since = tracker.epoch === '' ? undefined : { epoch: tracker.epoch, offset: tracker.last };
    client.trackers.set(topic, tracker);
    client.runs.set(topic, client.runs.get(topic) ?? { from: 0, uids: [] });
    const id = this.#nextId++;
    client.awaiting.set(topic, id);
    const wish = { id, snapshot: true, ...this.#wishOf(client), ...(since && { since }) };
    const done = (this.#delivery.subscriptions.subscribe(receiver, topic, wish) ?? Promise.resolve())
      .catch((error) => {
        // A refusal is an answer; anything else is a bug, and ends the run.
        if (!(error instanceof ProtocolError)) throw error;
      })
      .finally(() => this.#subscribing.delete(done));
    this.#subscribing.add(done);
  }

  #wishOf(client: SimulatedClient): object {
    return this.#wishes[this.clients.indexOf(client) % this.#wishes.length] ?? {};
  }

  unsubscribe(client: SimulatedClient, topic: Topic): void {
    if (client.receiver !== undefined) this.#delivery.subscriptions.end(client.receiver, topic);
    client.trackers.delete(topic);
    client.runs.delete(topic);
    client.values.delete(topic);
  }

  /** The client's connection breaks; it keeps its positions. */
  cut(client: SimulatedClient): void {
    client.socket?.cut();
  }

  /** Everything that can happen has happened: the log is there, and everybody is subscribed who wants to be. */
  async settle(): Promise<void> {
    for (const log of [this.plain, this.keyed]) {
      log.shortBy = 0;
      if (!log.connected) log.reconnect();
    }
    for (let quiet = 0, rounds = 0; quiet < 3; rounds++) {
      for (const log of [this.plain, this.keyed]) log.deliver(Number.POSITIVE_INFINITY, false);
      for (const client of this.clients) for (const topic of client.trackers.keys()) this.#resubscribe(client, topic);
      for (const client of this.clients) this.read(client, 10_000);
      // As once a second: one that could not be caught up, for want of the log, is tried again.
      this.#delivery.everySecond(Date.now());
      await turns(20);
      await new Promise((resolve) => setTimeout(resolve, 12));
      const waits = this.clients.some((client) => [...client.trackers.keys()].some((topic) => !this.#isMember(client, topic)));
      quiet = waits || !this.#isAtEnd() ? 0 : quiet + 1;
      if (rounds > SETTLE_ROUNDS_MAX) throw new Error(`the simulated node does not settle: ${this.#describe()}`);
    }
  }

  async stop(): Promise<void> {
    for (const client of this.clients) this.cut(client);
    this.#delivery.stop();
    for (const log of [this.plain, this.keyed]) await log.stop();
    await this.#hub.stop();
  }

  /** Where everybody is, and where they should be. */
  #describe(): string {
    const clients = this.clients.map(({ trackers, receiver }) =>
      [...trackers].map(([topic, { epoch, last }]) => ({ topic, epoch, last, subscription: receiver?.subscriptions.get(topic)?.kind })),
    );
    return JSON.stringify({ clients, logs: [this.plain, this.keyed].map((log) => log.describe()) });
  }

  #resubscribe(client: SimulatedClient, topic: Topic): void {
    if (client.receiver === undefined || !client.receiver.subscriptions.has(topic)) this.subscribe(client, topic);
  }

  #isMember(client: SimulatedClient, topic: Topic): boolean {
    return client.receiver?.subscriptions.get(topic)?.kind === 'member';
  }

  /** Does everybody have the last publication of what they want? An offset of a log that was rolled back since says nothing. */
  #isAtEnd(): boolean {
    return this.clients.every((client) =>
      [...client.trackers].every(([topic, { last, epoch: known }]) => {
        const { history, epoch, isFollowed } = this.logOf(namespaceOf(topic));
        if (!isFollowed || known !== epoch) return false;
        const end = history.findLast(({ publication }) => publication.topic === topic)?.publication.offset ?? 0;
        return end <= last || this.#isPassed(client, topic, end);
      }),
    );
  }

  /** Of what it selects it has been sent everything up to there. */
  #isPassed(client: SimulatedClient, topic: Topic, offset: number): boolean {
    const shard = client.receiver?.subscriptions.get(topic);
    if (shard?.kind !== 'member' || shard.variant.options.selection === undefined) return false;
    const { ring } = shard.variant.feed;
    return ring.headOffset >= offset && shard.cursor === ring.next;
  }

  #connect(client: SimulatedClient): Receiver {
    const encoding = this.#encodings[this.clients.indexOf(client) % this.#encodings.length] as Encoding;
    const socket = new SimulatedSocket(this.#shards, {
      backpressureBytesMax: this.#slow ? this.#config.tuning.fanout.lagThresholdBytes : null,
      deliver: (frame) => {
        client.largestFrameBytes = Math.max(client.largestFrameBytes, frame.length);
        for (const message of decodeMessages(Buffer.from(frame), encoding === 'msgpack')) {
          if (client.receiver === receiver) client.receive(message);
        }
      },
      onDropped: () => this.#delivery.dropped(receiver),
      onDrain: () => this.#delivery.drained(receiver),
      onClosed: () => {
        client.receiver = undefined;
        client.socket = undefined;
        this.#delivery.closed(receiver);
      },
    });
    const receiver = this.#delivery.receiver(`c${this.#nextConnection++}`, encoding, socket);
    client.socket = socket;
    return receiver;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what SimulatedLog has written
function uidOf(data: any): number {
  return typeof data === 'object' ? (data?.uid ?? 0) : data;
}
