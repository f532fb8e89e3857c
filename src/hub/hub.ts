import { randomBytes } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { Bus, PublishAck } from '../bus/bus.ts';
import { messageId } from '../bus/message-id.ts';
import type { TlsMaterial } from '../config/certificates.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { workerConfig } from '../config/worker-config.ts';
import type { HubEnd } from '../link/link.ts';
import type { EndOrder, EndTarget, Page, Revocation, ToHub, WorkerFacts } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { assertTopicFits } from '../protocol/publish-rules.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import { HookMetrics } from '../telemetry/hook-metrics.ts';
import type { Logger } from '../telemetry/log.ts';
import { LoopLag, processFigures } from '../telemetry/loop-lag.ts';
import { Control, type OrderAnswer } from './ending/control.ts';
import { Revocations } from './ending/revocations.ts';
import { toProtocolError } from './failure.ts';
import { nodeFigures } from './figures.ts';
import { Finder } from './finding/finder.ts';
import { NatsHooks } from './hooks/nats-hooks.ts';
import { HubMetrics } from './hub-metrics.ts';
import type { OtherNode } from './node-answers.ts';
import { Overview } from './overview.ts';
import { HubPresence, hasPresence } from './presence.ts';
import { presenceOverview } from './presence-overview.ts';
import { Publisher, type ServerDraft } from './publisher.ts';
import type {
  ConnectionsFound,
  HistoryPage,
  HistoryQuestion,
  NodeFigures,
  PageOfNames,
  PresenceOverview,
  SeriesFound,
  TopicsFound,
  TopicsQuestion,
  UsersFound,
} from './report-types.ts';
import { RequestHandler } from './requests.ts';
import type { Sanitizer } from './sanitizing/sanitizer.ts';
import { Deliverer } from './sending/deliverer.ts';
import { type ClientAnswer, Sender, type ServerCall } from './sending/sender.ts';
import { Sampler } from './series/sampler.ts';
import { TopicRegistry } from './topic-registry.ts';
import { ConnectionLimit } from './users/connection-limit.ts';
import { usersOverview } from './users/overview.ts';
import { WorkerReports } from './worker-reports.ts';

export interface HubOptions {
  readonly config: Config;
  readonly bus: Bus;
  readonly nodeId: string;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Default: there are none. */
  readonly others?: () => readonly OtherNode[];
  /** Pages that every worker serves over plain HTTP. */
  readonly pages: readonly Page[];
  /** The certificates for workers that start now; undefined: no TLS. */
  readonly tls?: () => TlsMaterial | undefined;
  /** Of a demo: the key of its visitors' tokens. */
  readonly visitorSecret?: string | undefined;
  /** Absent: no namespace sanitizes. */
  readonly sanitizer?: Sanitizer | undefined;
}

/** What the supervisor learns from a worker. */
export interface WorkerEvents {
  /** The worker is ready, and waits for the command to listen. */
  onPrepared(): void;
  onListening(port: number, facts: WorkerFacts): void;
  onStartFailed(failure: { readonly code: string; readonly message: string }): void;
  onDrained(): void;
}

/** The node's connection to the bus. It knows its workers only as links; the supervisor starts and stops them. */
export class Hub {
  /** Id of this process, for other nodes. */
  readonly instance = randomBytes(9).toString('base64url');
  readonly metrics: HubMetrics;
  readonly #options: HubOptions;
  readonly #topics: TopicRegistry;
  readonly #publisher: Publisher;
  readonly #requests: RequestHandler;
  readonly #connectionLimit: ConnectionLimit<HubEnd>;
  readonly #revocations: Revocations;
  readonly #control: Control;
  /** Users, connections and topics of all nodes. */
  readonly #finder: Finder;
  readonly #sender: Sender;
  readonly #deliverer: Deliverer;
  readonly #sampler: Sampler;
  readonly #loopLag = new LoopLag();
  readonly #workers = new Set<HubEnd>();
  readonly #listening = new Set<HubEnd>();
  readonly #reports = new WorkerReports(this.#workers);
  /** Undefined: no namespace has it. */
  readonly #presence: HubPresence | undefined;
  readonly #stopWatchingBus: () => void;
  /** Counts connects and disconnects of the bus. */
  #busChange = 0;

  constructor(options: HubOptions) {
    const { config, bus, nodeId, logger } = options;
    this.#options = options;
    this.metrics = new HubMetrics(options.registry, logger);
    this.#topics = new TopicRegistry(config, bus, logger, this.metrics);
    this.#publisher = new Publisher(config, bus, this.metrics, (topic) => this.#topics.get(topic)?.document);
    const hooks = NatsHooks.create({
      config,
      bus,
      nodeId,
      publisher: this.#publisher,
      metrics: () => new HookMetrics('stentor_hook_seconds', options.registry, logger),
    });
    this.#requests = new RequestHandler({
      config,
      bus,
      nodeId,
      registry: this.#topics,
      publisher: this.#publisher,
      hooks,
      sanitizer: options.sanitizer,
      metrics: this.metrics,
      logger,
    });
    const { instance } = this;
    const others = options.others ?? (() => []);
    this.#connectionLimit = new ConnectionLimit({
      config,
      bus,
      instance,
      close: (worker, connectionId) => worker.send({ kind: 'endSurplus', connectionId }),
    });
    const revoke = (revocations: readonly Revocation[]) => this.#reports.revoke(revocations);
    this.#revocations = new Revocations({ config, bus, logger, workers: this.#workers, revoke });
    const end = (order: EndOrder) => this.#reports.end(order);
    this.#control = new Control({ bus, instance, logger, revocations: this.#revocations, end, others });
    const { seriesIntervalMs: intervalMs, seriesPointsMax: pointsMax } = config.tuning.admin;
    const sampler = new Sampler({ intervalMs, pointsMax, figures: () => this.figures(), logger });
    this.#sampler = sampler;
    const overview = new Overview(this.#topics, this.#reports);
    this.#finder = new Finder({
      config,
      bus,
      instance,
      nodeId,
      logger,
      others,
      local: {
        users: (question) => usersOverview(this.#connectionLimit, question),
        connections: (target, limit) => this.#reports.connections(target, limit),
        topics: (question) => overview.topics(question),
        series: () => sampler.columns(),
      },
    });
    this.#presence = hasPresence(config) ? new HubPresence({ config, bus, logger }) : undefined;
    this.metrics.watch(bus, () => this.#topics.followers(), options.registry);
    this.metrics.watchUsers(this.#connectionLimit, this.#revocations, options.registry);
    this.metrics.watchReads(() => this.#requests.readBytes, options.registry);
    if (this.#presence !== undefined) this.metrics.watchPresence(this.#presence, options.registry);
    this.metrics.busConnected.set(bus.connected ? 1 : 0);
    this.#sender = new Sender({ config, bus, finder: this.#finder });
    this.#deliverer = new Deliverer({ config, bus, logger, workers: this.#workers });
    this.metrics.watchSending(this.#deliverer, options.registry);
    this.#stopWatchingBus = bus.onConnectedChange((connected) => this.#busChanged(connected));
  }

  /** Workers that accept connections. */
  get listeningCount(): number {
    return this.#listening.size;
  }

  /** Adds a worker: tells it the configuration, and serves it until its link closes. */
  attach(link: HubEnd, index: number, port: number, events: WorkerEvents): void {
    this.#workers.add(link);
    this.metrics.workers.set(this.#workers.size);
    link.onMessages((messages) => {
      for (const message of messages) this.#receive(link, index, message, events);
    });
    link.onClose(() => {
      this.#workers.delete(link);
      this.#listening.delete(link);
      this.metrics.workers.set(this.#workers.size);
      this.#topics.removeWorker(link);
      this.#presence?.removeWorker(link, index);
      this.#connectionLimit.removeOwner(link);
      this.#deliverer.removeWorker(link);
    });
    const { config, nodeId, bus, pages, visitorSecret } = this.#options;
    const idPrefix = `${nodeId}-${randomBytes(4).toString('hex')}.`;
    this.#deliverer.addWorker(link, idPrefix);
    const tls = this.#options.tls?.();
    const busConnected = bus.connected;
    link.send({
      kind: 'welcome',
      config: workerConfig(config),
      nodeId,
      workerIndex: index,
      idPrefix,
      port,
      busConnected,
      pages,
      ...(tls !== undefined && { tls }),
      ...(visitorSecret !== undefined && { visitorSecret }),
    });
    this.#revocations.tell(link);
  }

  /** Whether anybody on this node is, or recently was, subscribed to the topic. */
  isOpen(topic: Topic): boolean {
    return this.#topics.get(topic) !== undefined;
  }

  /** For a scrape: metrics of every worker, as prom-client's JSON. */
  workerMetrics(): Promise<unknown[]> {
    return this.#reports.metrics();
  }

  async figures(): Promise<NodeFigures> {
    const [answers, totals] = await Promise.all([this.#reports.reports(), this.metrics.totals()]);
    return nodeFigures(answers, { topics: this.#topics.size, ...totals, process: processFigures(this.#loopLag) });
  }

  /** The last hour of all nodes. @throws ProtocolError (by rejection) `busy` */
  series(): Promise<SeriesFound> {
    return this.#finder.series();
  }

  /** Topics of all nodes. @throws ProtocolError (by rejection) `busy` */
  topics(question: TopicsQuestion): Promise<TopicsFound> {
    return this.#finder.topics(question);
  }

  /** Users of all nodes, in the order of their names. @throws ProtocolError (by rejection) `busy` */
  users(question: PageOfNames): Promise<UsersFound> {
    return this.#finder.users(question);
  }

  /** Connections to all nodes. @throws ProtocolError (by rejection) `busy` */
  connections(target: EndTarget, limit: number): Promise<ConnectionsFound> {
    return this.#finder.connections(target, limit);
  }

  /** @throws ProtocolError `unknown_namespace`, `bad_topic`, `unsupported`, `busy`, `unavailable` */
  history(question: HistoryQuestion): Promise<HistoryPage> {
    return this.#requests.historyForOperator(question);
  }

  /** Who is subscribed to a topic, on all nodes. @throws ProtocolError `unknown_namespace`, `bad_topic`, `unsupported` */
  presence(topic: Topic): PresenceOverview {
    assertTopicFits(topic, namespaceOptions(this.#options.config, namespaceOf(topic)));
    const state = this.#presence?.state(topic);
    if (state === undefined) throw new ProtocolError('unsupported', `${topic} has no presence: the namespace option presence is off`);
    return presenceOverview(state);
  }

  /**
   * Publishes for the operator, or for the program that embeds the node. The publication has no user, like one of a producer. @throws ProtocolError; if the
   * bus has failed, with its error as the cause
   */
  async publish({ exceptConnection, ...draft }: ServerDraft, idempotencyKey?: string): Promise<PublishAck> {
    const extras = {
      // A client's user is never empty.
      ...(idempotencyKey !== undefined && { messageId: messageId(draft.topic, '', idempotencyKey) }),
      ...(exceptConnection !== undefined && { origin: { user: '', connectionId: exceptConnection } }),
    };
    const noEcho = exceptConnection === undefined ? undefined : (true as const);
    try {
      return await this.#publisher.publish({ ...draft, noEcho }, extras);
    } catch (error) {
      throw toProtocolError(error as Error);
    }
  }

  /** Sends to every connection that is subscribed in the namespace. @throws ProtocolError as {@link Sender.toNamespace} */
  sendToNamespace(namespace: string, data: Uint8Array): Promise<void> {
    return this.#sender.toNamespace(namespace, data);
  }

  /** @returns false: it was dropped. @throws ProtocolError as {@link Sender.toConnection} */
  sendToConnection(connectionId: string, data: Uint8Array, volatile: boolean): Promise<boolean> {
    return this.#sender.toConnection(connectionId, data, volatile);
  }

  /** Calls clients. @throws ProtocolError as {@link Sender.call} */
  callClients(call: ServerCall): Promise<readonly ClientAnswer[]> {
    return this.#sender.call(call);
  }

  /** Has all nodes end connections, subscriptions or tokens. @throws ProtocolError as {@link Control.order} */
  order(value: object): Promise<OrderAnswer> {
    return this.#control.order(value);
  }

  drain(): void {
    for (const worker of this.#workers) worker.send({ kind: 'drain' });
  }

  async stop(): Promise<void> {
    // The bus is stopped next, so its disconnect need not be reported.
    this.#stopWatchingBus();
    this.#presence?.stop();
    this.#connectionLimit.stop();
    this.#control.stop();
    this.#finder.stop();
    this.#deliverer.stop();
    this.#sampler.stop();
    this.#loopLag.stop();
    this.#revocations.stop();
    await this.#topics.stop();
    for (const worker of [...this.#workers]) worker.close();
  }

  #receive(worker: HubEnd, index: number, message: ToHub, events: WorkerEvents): void {
    switch (message.kind) {
      case 'prepared':
        return events.onPrepared();
      case 'listening':
        this.#listening.add(worker);
        return events.onListening(message.port, { uws: message.uws, connectionsMax: message.connectionsMax });
      case 'startFailed':
        return events.onStartFailed(message);
      case 'drained':
        return events.onDrained();
      case 'open':
        return this.#topics.addInterest(message.topic, worker, this.#requests.returning(message));
      case 'close':
        return this.#topics.removeInterest(message.topic, worker);
      case 'publish':
        return void this.#requests.publish(worker, message);
      case 'read':
        return void this.#requests.read(worker, message);
      case 'readLast':
        return void this.#requests.readLast(worker, message);
      case 'recover':
        return void this.#requests.recover(worker, message);
      case 'call':
        return void this.#requests.call(worker, message);
      case 'askHook':
        return void this.#requests.askHook(worker, message);
      case 'tellHook':
        return this.#requests.tellHook(message);
      case 'presenceReport':
        return this.#presence?.report(index, message);
      case 'presenceWatch':
        return this.#presence?.watch(worker, message.topic);
      case 'presenceUnwatch':
        return this.#presence?.unwatch(worker, message.topic);
      case 'presenceAsk':
        return this.#presence?.answer(worker, message);
      case 'userConnected':
        return void this.#userConnected(worker, message);
      case 'userDisconnected':
        return this.#connectionLimit.remove(message.user, message.connectionId);
      case 'sent':
      case 'called':
        return this.#deliverer.answered(message);
      case 'ended':
      case 'connections':
      case 'metrics':
      case 'report':
        return this.#reports.answered(message);
      default:
        // The link carries messages of the same build. Anything else is a bug; it is logged and does not crash the hub.
        message satisfies never;
        this.#options.logger.error({ message }, 'unknown message from a worker');
    }
  }

  async #userConnected(
    worker: HubEnd,
    { requestId, user, connectionId, connectionsMax }: Extract<ToHub, { kind: 'userConnected' }>,
  ): Promise<void> {
    const admitted = await this.#connectionLimit.add({ user, connectionId, owner: worker, connectionsMax });
    if (requestId !== undefined) worker.send({ kind: 'admitted', requestId, admitted });
  }

  #busChanged(connected: boolean): void {
    this.metrics.busConnected.set(connected ? 1 : 0);
    const change = ++this.#busChange;
    const tell = () => {
      if (change !== this.#busChange) return;
      for (const worker of this.#workers) worker.send({ kind: 'busStatus', connected });
    };
    // The feed is live when the followers have resumed, not when the connection is back.
    if (connected) void this.#topics.whenFollowing().then(tell);
    else tell();
  }
}
