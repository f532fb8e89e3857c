import type { WebSocketConstructor } from '../../src/client/websocket.ts';
import { type FrameFault, FrameProxy } from '../support/frame-proxy.ts';
import type { NatsServer } from '../support/nats-server.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { HS256_KEYS, tokenOf } from '../support/tokens.ts';
import { checkStore } from './checker.ts';
import { Feed, type FeedOptions } from './feed.ts';
import { type Acknowledged, type Life, lifeOf, type Stored } from './ledger.ts';
import { NatsCluster } from './nats-cluster.ts';
import { RestartableNode } from './restartable-node.ts';
import type { Outcome, Size } from './scenario.ts';
import { ClientFeed, SdkClients } from './sdk-clients.ts';
import { readStore } from './store.ts';
import type { SwarmSettings } from './swarm/settings.ts';
import { SwarmProcess } from './swarm-process.ts';

export const NAMESPACE = 'scores';
/** More than any run publishes on a topic: nothing expires unless the scenario is about that. */
const HISTORY_COUNT = 1_000_000;
/** Clients ask again for what has not been answered by then. */
const REQUEST_TIMEOUT_MS = 10_000;
const HARMED_REQUEST_TIMEOUT_MS = 1000;
const CLIENT_IDS_FROM = 1_000_000_000;
const IDS_OF_A_FEED = 10_000_000;
/** Time for clients to be given the last publications once all is well again. */
const SETTLE_TIMEOUT_MS = 30_000;

export interface NodeSettings {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly history?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** `ulimit -n`. */
  readonly descriptors?: number;
}

/** One run of a scenario: starts servers and clients, collects figures, judges them, and ends all. {@link end} leaves no process behind, also after errors. */
export class FaultRun {
  readonly #figures: Record<string, number> = {};
  readonly #limits: Record<string, number> = {};
  readonly #failures: string[] = [];
  readonly #notes: string[] = [];
  #feeds = 0;
  readonly #ends: (() => unknown)[] = [];
  readonly #log: (line: string) => void;
  readonly nodes: RestartableNode[] = [];

  readonly #judgesTime: boolean;
  readonly #harm: FrameFault | undefined;
  /** Of its random choices. */
  readonly seed: number;

  /**
   * @param judgesTime false in `npm test`, where other tests share the cores: there a time says nothing, and is only noted
   * @param seed of the run's random choices
   * @param harm what happens to every frame between nodes and swarm: for showing that a run notices
   */
  constructor(log: (line: string) => void, judgesTime: boolean, seed: number, harm?: FrameFault) {
    this.#log = log;
    this.#judgesTime = judgesTime;
    this.seed = seed;
    this.#harm = harm;
  }

  /** In `npm test`: as short as it can be. */
  get isQuick(): boolean {
    return !this.#judgesTime;
  }

  get outcome(): Outcome {
    return { figures: this.#figures, limits: this.#limits, failures: this.#failures, notes: this.#notes };
  }

  say(line: string): void {
    this.#log(line);
  }

  /** Keeps the greatest of a figure. */
  figure(name: string, value: number): void {
    this.#figures[name] = Math.max(this.#figures[name] ?? 0, Math.round(value));
  }

  /** A figure that must not be above `max`. */
  limit(name: string, value: number, max: number): void {
    this.figure(name, value);
    this.#limits[name] = max;
    if (value > max) this.fail(`${name} is ${Math.round(value)}, ${max} is allowed`);
  }

  /** A time that must not be longer than `maxMs`. */
  limitMs(name: string, valueMs: number, maxMs: number): void {
    if (this.#judgesTime) return this.limit(name, valueMs, maxMs);
    this.figure(name, valueMs);
    this.#limits[name] = maxMs;
    if (valueMs > maxMs) this.note(`${name} is ${Math.round(valueMs)}, more than ${maxMs}: judged by npm run faults only`);
  }

  /** Counts that must all be 0. */
  none(counts: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(counts)) this.limit(name, count, 0);
  }

  fail(why: string): void {
    if (!this.#failures.includes(why)) this.#failures.push(why);
  }

  expect(holds: boolean, why: string): void {
    if (!holds) this.fail(why);
  }

  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  onEnd(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** @param config further text of its configuration file */
  async nats({ config = '' }: { readonly config?: string } = {}): Promise<NatsServer> {
    const server = await startNatsServer({ config });
    this.onEnd(() => server.stop());
    return server;
  }

  async natsCluster(): Promise<NatsCluster> {
    const cluster = await NatsCluster.start();
    this.onEnd(() => cluster.stop());
    return cluster;
  }

  /** A node on these NATS servers. */
  async node(urls: readonly string[], { settings = {}, history = {}, env = {}, descriptors }: NodeSettings = {}): Promise<RestartableNode> {
    const name = `n${this.nodes.length}`;
    const namespace = { durable: true, public: true, clientPublish: true, history: { maxCount: HISTORY_COUNT, ...history } };
    const node = await RestartableNode.start({
      name,
      settings: {
        workers: 1,
        'nats.url': urls.join(','),
        'auth.keys': HS256_KEYS,
        'limits.connectionsPerUserMax': 0,
        'limits.callsPerSecondMax': 0,
        namespaces: { [NAMESPACE]: namespace },
        ...settings,
      },
      env,
      ...(descriptors !== undefined && { descriptors }),
    });
    this.nodes.push(node);
    this.onEnd(() => node.kill9());
    return node;
  }

  async threeNodes(urls: readonly string[], options?: NodeSettings): Promise<[RestartableNode, RestartableNode, RestartableNode]> {
    // One after the other: the first makes the stream, and two cores start three nodes no sooner together.
    return [await this.node(urls, options), await this.node(urls, options), await this.node(urls, options)];
  }

  async feed(options: Omit<FeedOptions, 'firstId'>): Promise<Feed> {
    // NATS takes a publication with an id that it had a moment ago for the same one, and does not store it.
    const firstId = 1 + this.#feeds++ * IDS_OF_A_FEED;
    const feed = await Feed.open({ ...options, firstId });
    this.onEnd(() => feed.close());
    return feed;
  }

  async swarm(settings: Partial<SwarmSettings> & Pick<SwarmSettings, 'clients' | 'topics'>): Promise<SwarmProcess> {
    const { ports = this.nodes.map(({ port }) => port), ...rest } = settings;
    const swarm = await SwarmProcess.start({
      inFlightMax: 100,
      seed: this.seed,
      // Answers that are lost on purpose are not waited for as long as those that are late.
      requestTimeoutMs: this.#harm === undefined ? REQUEST_TIMEOUT_MS : HARMED_REQUEST_TIMEOUT_MS,
      ...rest,
      ports: await Promise.all(ports.map((port) => this.#harmed(port))),
    });
    this.onEnd(() => swarm.stop());
    return swarm;
  }

  /** Call it before anything is broken: until then no client may have had anything to repair, nor had anything twice. */
  async calm(swarm: SwarmProcess): Promise<void> {
    const { dropped, held, historyAsked } = await swarm.stats();
    this.none({ calmDropped: dropped, calmHeld: held, calmHistoryAsked: historyAsked });
  }

  /** @param secure WebSockets over TLS; without it, all is plain */
  async sdkClients(count: number, topics: readonly string[], secure?: WebSocketConstructor): Promise<SdkClients> {
    const clients = new SdkClients(
      count,
      this.nodes.map(({ port }) => port),
      topics,
      secure,
    );
    this.onEnd(() => clients.close());
    await clients.connect();
    return clients;
  }

  /** Publishes through the nodes. */
  async clientFeed(topics: readonly string[], ratePerSecond: number): Promise<ClientFeed> {
    const ports = this.nodes.map(({ port }) => port);
    const token = await tokenOf({ sub: 'publisher', expiresInMs: 3_600_000 });
    const feed = new ClientFeed({ ports, topics, token, ratePerSecond, firstId: CLIENT_IDS_FROM });
    this.onEnd(() => feed.close());
    await feed.start();
    return feed;
  }

  /** Ends everything, the last started first. */
  async end(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        this.#log(`could not be ended: ${String(error)}`);
      }
    }
  }

  /**
   * The end of a run: producers stop, clients get what is left, and everything is held against the store.
   */
  async judge(participants: Participants): Promise<void> {
    const { feed, clientFeed, swarm, sdk, urls } = participants;
    await Promise.all([feed?.stop(), clientFeed?.stop()]);
    const stored = await readStore(urls, NAMESPACE);
    const acknowledged = [...(feed?.acknowledged ?? []), ...(clientFeed?.acknowledged ?? []), ...(participants.published ?? [])];
    const { acknowledgedLost, storedTwice, wrongAcknowledgements } = checkStore(acknowledged, stored);
    this.none({ storedTwice, acknowledgedLost, wrongAcknowledgements });
    this.#judgeFeeds(participants);
    const stats = await swarm.stats();
    this.say(JSON.stringify(stats));
    if (stats.epochs.length !== 1) this.fail(`clients have seen the epochs ${stats.epochs.join(', ')}, where the log had one life`);
    await this.judgeClients(participants, [lifeOf(stats.epochs[0] ?? '', stored)], stored);
    this.figure('published', stored.length);
    await sdk?.close();
  }

  /** Holds what clients were given against these lives of the log. */
  async judgeClients(
    { swarm, sdk, declarationsAllowed = false }: Participants,
    lives: readonly Life[],
    last: readonly Acknowledged[],
  ): Promise<void> {
    const offsets = lastOffsetsOf(last);
    const reached = await swarm.reach({ offsets, timeoutMs: SETTLE_TIMEOUT_MS });
    if (reached.behind > 0) this.fail(`${reached.behind} clients never got the last publications: ${reached.examples.join(' ')}`);
    const { verdict, examples, cpuShare } = await swarm.check({ lives });
    const { delivered, declared, declarations, ...faults } = verdict;
    this.none(faults);
    if (examples.length > 0) this.note(examples.join('; '));
    this.figure('delivered', delivered);
    const { dropped, held, historyAsked } = await swarm.stats();
    for (const [name, count] of Object.entries({ dropped, held, historyAsked })) this.figure(name, count);
    if (declarationsAllowed) this.figure('declared', declarations);
    else this.none({ declared: declarations });
    this.figure('swarmCpuPercent', cpuShare * 100);
    if (sdk !== undefined) {
      const behind = await sdk.reach(offsets, SETTLE_TIMEOUT_MS);
      const sdkVerdict = sdk.check(lives);
      this.none({
        sdkLost: sdkVerdict.lost,
        sdkDuplicates: sdkVerdict.duplicates,
        sdkReordered: sdkVerdict.reordered,
        sdkForeign: sdkVerdict.foreign + sdkVerdict.wrongSnapshots,
      });
      if (!declarationsAllowed) this.none({ sdkDeclared: sdkVerdict.declarations });
      this.expect(behind === 0, `${behind} SDK clients never got the last publications`);
    }
  }

  async #harmed(port: number): Promise<number> {
    if (this.#harm === undefined) return port;
    const proxy = await FrameProxy.start(`ws://127.0.0.1:${port}/ws`, this.#harm);
    this.onEnd(() => proxy.stop());
    return Number(new URL(proxy.url).port);
  }

  #judgeFeeds({ feed, clientFeed, size }: Participants): void {
    if (feed !== undefined) {
      this.expect(feed.unknown.length === 0, `${feed.unknown.length} publishes were given up`);
      if (feed.achievedRate < size.ratePerSecond * 0.95) {
        this.note(`the feed made ${Math.round(feed.achievedRate)} of ${size.ratePerSecond} msg/s: the machine did not keep up`);
      }
    }
    if (clientFeed !== undefined) {
      const failed = Object.entries(clientFeed.failed).map(([code, count]) => `${count} ${code}`);
      this.expect(failed.length === 0, `client publishes failed: ${failed.join(', ')}`);
      this.figure('clientPublished', clientFeed.acknowledged.length);
    }
  }
}

/** Who takes part in a run. */
export interface Participants {
  readonly urls: readonly string[];
  readonly swarm: SwarmProcess;
  readonly size: Size;
  readonly feed?: Feed;
  readonly clientFeed?: ClientFeed;
  readonly sdk?: SdkClients;
  /** Acknowledged to others than these feeds. */
  readonly published?: readonly Acknowledged[];
  /** Resyncs and snapshots are what the scenario is about. */
  readonly declarationsAllowed?: boolean;
}

export function lastOffsetsOf(publications: readonly (Acknowledged | Stored)[]): Record<string, number> {
  const last: Record<string, number> = {};
  for (const { topic, offset } of publications) last[topic] = Math.max(last[topic] ?? 0, offset);
  return last;
}

export function topicsOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${NAMESPACE}.t${i}`);
}
