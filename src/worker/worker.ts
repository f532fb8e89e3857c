import { randomBytes } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { Config } from '../config/schema.ts';
import { CatchingUp } from '../delivery/catching-up.ts';
import { FanoutPump } from '../delivery/fanout-pump.ts';
import { feedStatusOf } from '../delivery/feed-status.ts';
import { HubClient } from '../delivery/hub-client.ts';
import { HubQueue } from '../delivery/hub-queue.ts';
import { Memberships } from '../delivery/memberships.ts';
import { MissedReader } from '../delivery/missed-reader.ts';
import { SlowConsumers } from '../delivery/slow-consumers.ts';
import { TopicTable } from '../delivery/topic-table.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { Page, ToWorker } from '../link/messages.ts';
import { AnswerOutbox } from '../session/answer-outbox.ts';
import { Authenticator } from '../session/authenticator.ts';
import { Calls } from '../session/calls.ts';
import type { Connection, SocketData } from '../session/connection.ts';
import { Dispatcher } from '../session/dispatcher.ts';
import { ExpiryIndex } from '../session/expiry.ts';
import { Heartbeat } from '../session/heartbeat.ts';
import { HistoryReader } from '../session/history-reader.ts';
import { InFlight } from '../session/in-flight.ts';
import { InboundLimits } from '../session/inbound-limits.ts';
import { Intake } from '../session/intake.ts';
import { Publishes } from '../session/publishes.ts';
import { ReadTurns } from '../session/read-turns.ts';
import { RefusalLog } from '../session/refusal-log.ts';
import { Subscriber } from '../session/subscriber.ts';
import type { Logger } from '../telemetry/log.ts';
import { connectionsAllowed, descriptorLimit, descriptorsOpen } from '../transport/descriptors.ts';
import { Gate } from '../transport/gate.ts';
import { routeHttp } from '../transport/http-routes.ts';
import { Listener } from '../transport/listener.ts';
import { Publisher } from '../transport/publisher.ts';
import { Upgrader } from '../transport/upgrade.ts';
import { loadUws, type Socket, type Uws, type UwsApp } from '../transport/uws.ts';
import { BusWatch } from './bus-watch.ts';
import { sayGoodbye } from './drain.ts';
import { Reporter } from './reporter.ts';
import { WorkerMetrics } from './worker-metrics.ts';

type Welcome = Extract<ToWorker, { kind: 'welcome' }>;

/** What a worker is made of that is there before it. */
interface WorkerParts {
  readonly uws: Uws;
  readonly authenticator: Authenticator;
  readonly metrics: WorkerMetrics;
}

/** uWS's own limit lies above ours, so that a message a little too big gets its close code: uWS closes without one. */
const OVERSIZE_MARGIN_BYTES = 65_536;
/** Of a loop turn, for what clients say: less than members notice. A full array of commands takes 5 to 15 ms, and is not divided. */
const READ_TURN_MS = 4;

/** Three pings: a peer that answers them is never idle. uWS takes 8 s and 960 s at most. */
function idleTimeoutSeconds(pingIntervalMs: number): number {
  return Math.min(960, Math.max(8, Math.ceil((3 * pingIntervalMs) / 1000)));
}

/** One uWS app and its connections, behind a link to the hub. */
export class Worker {
  readonly #config: Config;
  readonly #port: number;
  readonly #link: WorkerEnd;
  readonly #uws: Uws;
  readonly #app: UwsApp;
  readonly #logger: Logger;
  readonly #metrics: WorkerMetrics;
  readonly #connections = new Set<Connection>();
  readonly #connectionsMax: number;
  readonly #connectionIdPrefix: string;
  readonly #authenticator: Authenticator;
  readonly #topics: TopicTable;
  readonly #hub: HubClient;
  readonly #memberships: Memberships;
  readonly #slowConsumers: SlowConsumers;
  readonly #missedReader: MissedReader;
  readonly #busWatch: BusWatch;
  readonly #subscriber: Subscriber;
  readonly #answers = new AnswerOutbox();
  readonly #dispatcher: Dispatcher;
  readonly #refusals: RefusalLog;
  readonly #publisher: Publisher;
  readonly #pump: FanoutPump;
  readonly #hubQueue: HubQueue;
  readonly #heartbeat: Heartbeat<Connection>;
  readonly #turns: ReadTurns<Connection>;
  readonly #intake: Intake;
  readonly #gate: Gate;
  readonly #reporter: Reporter;
  readonly #tokenExpiry = new ExpiryIndex<Connection>(Date.now());
  readonly #greetingExpiry = new ExpiryIndex<Connection>(Date.now());
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #listener: Listener;
  #nextConnection = 1;
  #draining = false;

  private constructor(welcome: Welcome, link: WorkerEnd, { uws, authenticator, metrics }: WorkerParts, logger: Logger) {
    const { config, nodeId, pages, workerIndex, port } = welcome;
    this.#config = config;
    this.#port = port;
    this.#link = link;
    this.#uws = uws;
    this.#logger = logger;
    this.#refusals = new RefusalLog(logger);
    this.#app = uws.App();
    this.#listener = new Listener(uws, this.#app);
    const limit = descriptorLimit();
    this.#connectionsMax = connectionsAllowed(config.limits.connectionsPerWorkerMax, limit);
    this.#authenticator = authenticator;
    this.#metrics = metrics;
    this.#metrics.connectionsMax.set(this.#connectionsMax);
    this.#connectionIdPrefix = `${nodeId}-${randomBytes(4).toString('hex')}-`;
    this.#topics = new TopicTable(config, link);
    this.#memberships = new Memberships(config.tuning.fanout.groupConnectionsMax);
    this.#hub = new HubClient(link, config);
    this.#missedReader = new MissedReader(this.#hub, this.#topics.recent);
    const onBug = (error: Error) => logger.error({ err: error }, 'a command failed');
    this.#slowConsumers = new SlowConsumers({
      config,
      topics: this.#topics,
      memberships: this.#memberships,
      catchingUp: new CatchingUp({
        config,
        memberships: this.#memberships,
        hub: this.#hub,
        missedReader: this.#missedReader,
        metrics: this.#metrics,
      }),
      metrics: this.#metrics,
      tick: () => this.#pump.tick,
      onBug,
    });
    this.#subscriber = new Subscriber({
      config,
      topics: this.#topics,
      memberships: this.#memberships,
      slowConsumers: this.#slowConsumers,
      missedReader: this.#missedReader,
      metrics: this.#metrics,
    });
    const inFlight = new InFlight(config.tuning.commands, config.workers);
    this.#dispatcher = new Dispatcher({
      config,
      nodeId,
      authenticator,
      subscriber: this.#subscriber,
      calls: new Calls({ config, hub: this.#hub }),
      publishes: new Publishes({ config, hub: this.#hub }),
      inFlight,
      outbox: this.#answers,
      histories: new HistoryReader({
        config,
        hub: this.#hub,
        whenRoom: (connection) => this.#slowConsumers.whenRoom(connection),
        whenTurn: (connection, bytes) => this.#slowConsumers.whenTurn(connection, bytes),
      }),
      metrics: this.#metrics,
      refusals: this.#refusals,
      onIdentity: (connection) => this.#watchExpiry(connection),
      onBug,
    });
    this.#busWatch = new BusWatch(this.#connections, config);
    if (!welcome.busConnected) this.#busWatch.changed(false);
    this.#publisher = new Publisher(this.#app, this.#memberships, this.#metrics);
    this.#pump = new FanoutPump(config.tuning.fanout, this.#publisher, {
      beforeTurn: () => {
        this.#answers.flush();
        this.#slowConsumers.leaveMarked();
      },
      afterTurn: () => this.#metrics.turnEnded(),
    });
    this.#hubQueue = new HubQueue({
      link,
      holdMaxMs: config.tuning.fanout.holdMaxMs,
      holdFromBytes: config.tuning.fanout.lagThresholdBytes,
      publish: (message) => this.#topics.published(message),
      other: (message) => this.#receiveOther(message),
      wake: (feeds) => this.#pump.wake(feeds),
      onHold: () => this.#metrics.holds.inc(),
    });
    this.#heartbeat = new Heartbeat(config.heartbeat.pingIntervalMs, config.tuning.connections.pongTimeoutMs, {
      ping: (connection) => connection.socket?.ping(),
      lost: (connection) => connection.socket?.close(),
    });
    this.#turns = new ReadTurns({
      turnMs: READ_TURN_MS,
      unreadBytesPerConnectionMax: config.tuning.commands.unreadBytesPerConnectionMax,
      inFlight,
      read: (connection, message) => {
        this.#dispatcher.receive(connection, message).catch((error) => {
          logger.error({ err: error }, 'a message could not be handled');
          connection.end('serverError');
        });
      },
    });
    this.#intake = new Intake({
      limits: new InboundLimits({ ...config.limits, ...config.tuning.commands }),
      heartbeat: this.#heartbeat,
      turns: this.#turns,
      metrics,
    });
    this.#gate = new Gate({
      handshakesMax: config.tuning.connections.handshakesMax,
      handshakeGraceMs: config.tuning.connections.handshakeGraceMs,
      descriptorLimit: limit,
      descriptorsOpen,
      connections: () => this.#connections.size,
      listener: this.#listener,
      metrics,
      logger,
    });
    this.#reporter = new Reporter({
      index: workerIndex,
      link,
      connections: this.#connections,
      connectionsMax: this.#connectionsMax,
      topics: this.#topics,
      slowConsumers: this.#slowConsumers,
      hub: this.#hub,
      authenticator,
      inFlight,
      turns: this.#turns,
      gate: this.#gate,
      metrics,
    });
    this.#route(authenticator, pages);
  }

  /** @throws UwsUnavailableError, or Error when a configured key cannot be read */
  static async create(welcome: Welcome, link: WorkerEnd, logger: Logger): Promise<Worker> {
    const uws = await loadUws({ headerBytesMax: welcome.config.tuning.connections.headerBytesMax });
    const metrics = new WorkerMetrics(welcome.workerIndex);
    const auth = { ...welcome.config.auth, ...welcome.config.tuning.auth };
    const authenticator = await Authenticator.create({ auth, logger, onFetch: (result) => metrics.jwksFetches.inc({ result }) });
    const worker = new Worker(welcome, link, { uws, authenticator, metrics }, logger);
    worker.#start();
    return worker;
  }

  /** Whoever runs the worker in a process of its own adds the process's figures. */
  get metricsRegistry(): Registry {
    return this.#metrics.registry;
  }

  /** Told of every message but `welcome`. */
  receive(messages: readonly ToWorker[]): void {
    this.#hubQueue.receive(messages);
  }

  /** The hub is gone, or wants this worker to end: no new connections, a goodbye to those there are. */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#listener.close();
    const { drainConnectionsPerSecond, drainTimeoutMs } = this.#config.hub;
    // A hurried goodbye is better than none: past the time allowed what is left is cut.
    const hurriedPerSecond = this.#connections.size / (Math.max(100, drainTimeoutMs / 2) / 1000);
    await sayGoodbye(this.#connections, { reason: 'draining', perSecond: Math.max(drainConnectionsPerSecond, hurriedPerSecond) });
    this.stop();
    this.#link.send({ kind: 'drained' });
  }

  stop(): void {
    this.#listener.close();
    for (const timer of this.#timers) clearInterval(timer);
    this.#authenticator.stop();
    this.#busWatch.stop();
    this.#hubQueue.stop();
    this.#pump.stop();
    this.#app.close();
  }

  #start(): void {
    const { heartbeat } = this.#config;
    this.#timers.push(
      setInterval(() => this.#heartbeat.tick(), heartbeat.pingIntervalMs / Heartbeat.ticksPerInterval),
      setInterval(() => this.#everySecond(), 1000),
    );
    this.#logger.debug('worker started');
    this.#link.send({ kind: 'prepared' });
  }

  #listen(): void {
    if (this.#draining) return;
    const { host, tuning } = this.#config;
    const port = this.#port;
    const opened = this.#listener.open({ host, port, waitingMax: tuning.connections.connectsWaitingMax });
    if (opened === undefined) {
      this.#link.send({ kind: 'startFailed', code: 'listen_failed', message: `cannot listen on ${host}:${port}` });
      return this.stop();
    }
    this.#link.send({ kind: 'listening', port: opened, uws: this.#uws.source, connectionsMax: this.#connectionsMax });
  }

  #route(authenticator: Authenticator, pages: readonly Page[]): void {
    const config = this.#config;
    const upgrader = new Upgrader({
      config,
      authenticator,
      metrics: this.#metrics,
      gate: this.#gate,
      refusals: this.#refusals,
      refusal: () => this.#whyUnavailable(),
      nextConnectionId: () => `${this.#connectionIdPrefix}${this.#nextConnection++}`,
    });
    this.#app.filter(this.#gate.filter);
    this.#app.ws<SocketData>(config.path, {
      maxPayloadLength: config.limits.messageBytesMax + OVERSIZE_MARGIN_BYTES,
      maxBackpressure: config.tuning.fanout.lagThresholdBytes,
      // Liveness is the heartbeat's business: jittered, and shorter than uWS's steps where the config wants it. This is for sockets that we have ended and
      // whose peer neither ends nor stays silent: without it uWS would keep them, and we could not know of them.
      idleTimeout: idleTimeoutSeconds(config.heartbeat.pingIntervalMs),
      sendPingsAutomatically: false,
      upgrade: upgrader.upgrade,
      open: (socket) => this.#opened(socket),
      message: (socket, message, isBinary) => this.#intake.message(socket.getUserData().connection, message, isBinary),
      pong: (socket, payload) => this.#intake.controlFrame(socket.getUserData().connection, payload),
      ping: (socket, payload) => this.#intake.controlFrame(socket.getUserData().connection, payload),
      dropped: (socket) => this.#slowConsumers.dropped(socket.getUserData().connection),
      drain: (socket) => {
        const { connection } = socket.getUserData();
        // The peer takes what it is sent: it is there, even when its pong waits behind all that it has still to read.
        this.#heartbeat.heard(connection);
        this.#slowConsumers.drained(connection);
      },
      close: (socket, code, reason) => {
        const { connection } = socket.getUserData();
        this.#refusals.closed(connection, code, reason);
        this.#closed(connection, code);
      },
    });
    routeHttp(this.#app, { path: config.path, pages, gate: this.#gate, refusals: this.#refusals });
  }

  #whyUnavailable(): string | undefined {
    if (this.#draining) return 'the node is draining';
    if (this.#busWatch.closes) return 'the broker is away, and nats.whenAway is close';
    return this.#connections.size >= this.#connectionsMax ? `${this.#connectionsMax} connections are open` : undefined;
  }

  #receiveOther(message: Exclude<ToWorker, { kind: 'publication' }>): void {
    switch (message.kind) {
      case 'listen':
        return this.#listen();
      case 'opened':
        return this.#topics.opened(message);
      case 'openFailed':
        return this.#topics.openFailed(message);
      case 'resync':
        return this.#resync(message);
      case 'topicStatus':
        return this.#topicStatus(message);
      case 'published':
      case 'items':
      case 'recovery':
      case 'result':
      case 'serviceError':
      case 'failed':
        return this.#hub.answered(message);
      case 'metricsWanted':
        return void this.#reporter.sendMetrics(message.requestId);
      case 'reportWanted':
        return void this.#reporter.sendReport(message);
      case 'busStatus':
        return this.#busWatch.changed(message.connected);
      case 'drain':
        return void this.drain();
      case 'welcome':
        return;
    }
  }

  #resync(message: Extract<ToWorker, { kind: 'resync' }>): void {
    const feed = this.#topics.get(message.topic);
    // Given up meanwhile: whoever wants it next is told anew what it is.
    if (feed === undefined) return;
    this.#answers.flush();
    feed.reset(message);
    const { frameBytesMax } = this.#config.tuning.fanout;
    const told = this.#publisher.resync(feed, message.reason, { frameBytesMax, tick: this.#pump.tick });
    if (!told) this.#slowConsumers.startOver(feed, message.reason);
  }

  #topicStatus({ topic, awayReason }: Extract<ToWorker, { kind: 'topicStatus' }>): void {
    const feed = this.#topics.get(topic);
    if (feed === undefined) return;
    this.#answers.flush();
    feed.setStatus(awayReason);
    this.#publisher.status(feed);
    this.#slowConsumers.tell(feed, feedStatusOf(feed));
  }

  #opened(socket: Socket<SocketData>): void {
    const data = socket.getUserData();
    const { connection, token } = data;
    data.token = undefined;
    connection.opened(socket);
    this.#connections.add(connection);
    this.#heartbeat.add(connection);
    this.#metrics.opened();
    this.#busWatch.opened(connection);
    if (token !== undefined) {
      this.#dispatcher.authenticate(connection, token);
    } else if (!this.#dispatcher.anonymousAllowed) {
      this.#greetingExpiry.set(connection, Date.now() + this.#config.tuning.connections.connectTimeoutMs);
    }
  }

  #closed(connection: Connection, code: number): void {
    connection.closed();
    this.#turns.forget(connection);
    this.#connections.delete(connection);
    this.#heartbeat.remove(connection);
    this.#tokenExpiry.remove(connection);
    this.#greetingExpiry.remove(connection);
    this.#subscriber.removeAll(connection);
    this.#metrics.closed(code);
  }

  #watchExpiry(connection: Connection): void {
    const { expiresAtMs } = connection.identity;
    if (expiresAtMs !== undefined && connection.socket !== undefined) this.#tokenExpiry.set(connection, expiresAtMs);
  }

  #everySecond(): void {
    const nowMs = Date.now();
    this.#gate.tick();
    this.#slowConsumers.check(nowMs);
    this.#missedReader.forgetOld();
    this.#memberships.merge();
    for (const connection of this.#tokenExpiry.takeExpired(nowMs)) connection.end('tokenExpired');
    for (const connection of this.#greetingExpiry.takeExpired(nowMs)) if (!connection.greeted) connection.end('unauthorized');
  }
}
