import type { Registry } from 'prom-client';
import type { Config } from '../config/schema.ts';
import { Delivery, type WorkerMessage } from '../delivery/delivery.ts';
import { visitorTokenPage } from '../demo/visitor-tokens.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import { Authenticator } from '../session/authenticator.ts';
import { Connections } from '../session/connections.ts';
import { type HookModules, loadHookModules } from '../session/hooks/modules.ts';
import { SessionHooks } from '../session/hooks/session-hooks.ts';
import { AlignedInterval } from '../telemetry/aligned-interval.ts';
import { HookMetrics } from '../telemetry/hook-metrics.ts';
import type { Logger } from '../telemetry/log.ts';
import { LoopLag } from '../telemetry/loop-lag.ts';
import { WebSocketServer } from '../transport/server.ts';
import { loadUws, type Uws } from '../transport/uws.ts';
import { BusWatch } from './bus-watch.ts';
import { sayGoodbye } from './drain.ts';
import { Reporter } from './reporter.ts';
import { WorkerMetrics } from './worker-metrics.ts';

type Welcome = Extract<ToWorker, { kind: 'welcome' }>;

/** The parts that exist before a worker. */
interface WorkerParts {
  readonly uws: Uws;
  readonly authenticator: Authenticator;
  readonly hookModules: HookModules;
  readonly metrics: WorkerMetrics;
}

/** The clients of one link to the hub: a transport, and above it delivery and sessions. All wiring of a worker is here. */
export class Worker {
  readonly loopLag = new LoopLag();
  readonly #config: Config;
  readonly #port: number;
  readonly #link: WorkerEnd;
  readonly #uws: Uws;
  readonly #logger: Logger;
  readonly #metrics: WorkerMetrics;
  readonly #authenticator: Authenticator;
  readonly #server: WebSocketServer;
  readonly #delivery: Delivery;
  readonly #connections: Connections;
  readonly #busWatch: BusWatch;
  readonly #reporter: Reporter;
  #seconds: AlignedInterval | undefined;
  #draining = false;

  private constructor(welcome: Welcome, link: WorkerEnd, { uws, authenticator, hookModules, metrics }: WorkerParts, logger: Logger) {
    const { config, nodeId, pages, visitorSecret, tls, workerIndex, idPrefix, port } = welcome;
    this.#config = config;
    this.#port = port;
    this.#link = link;
    this.#uws = uws;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#authenticator = authenticator;
    const dynamicPages = visitorSecret === undefined ? [] : [visitorTokenPage(visitorSecret, config.auth)];
    this.#server = new WebSocketServer({ config, uws, tls, pages, dynamicPages, metrics: metrics.transport, logger });
    const { connectionsMax } = this.#server;
    metrics.transport.connectionsMax.set(connectionsMax);
    const onBug = (error: Error) => logger.error({ err: error }, 'a command failed');
    this.#delivery = new Delivery({
      config,
      link,
      publish: this.#server.publish,
      receiverOf: (connectionId) => this.#connections.find(connectionId)?.receiver,
      metrics: metrics.delivery,
      onWorkerMessage: (message) => this.#receiveOther(message),
      onBug,
    });
    this.#connections = new Connections({
      config,
      nodeId,
      idPrefix,
      connectionsMax,
      delivery: this.#delivery,
      authenticator,
      hooks: (ends) =>
        SessionHooks.create({
          config,
          nodeId,
          hub: this.#delivery.hub,
          modules: hookModules,
          metrics: () => new HookMetrics('stentor_hook_module_seconds', metrics.registry, logger),
          ...ends,
        }),
      metrics: metrics.session,
      logger,
      whyUnavailable: () => this.#whyUnavailable(),
      onOpened: (connection) => this.#busWatch.opened(connection),
      onBug,
    });
    this.#busWatch = new BusWatch(this.#connections, config);
    if (!welcome.busConnected) this.#busWatch.changed(false);
    this.#reporter = new Reporter({
      index: workerIndex,
      link,
      connections: this.#connections,
      connectionsMax,
      delivery: this.#delivery,
      authenticator,
      server: this.#server,
      metrics,
      loopLag: this.loopLag,
    });
    this.#server.serve(this.#connections);
  }

  /** @throws UwsUnavailableError, or Error if a configured key cannot be read, or with the code `hook_module_failed` or `tls_failed` */
  static async create(welcome: Welcome, link: WorkerEnd, logger: Logger): Promise<Worker> {
    const uws = await loadUws({ headerBytesMax: welcome.config.tuning.connections.headerBytesMax });
    const metrics = new WorkerMetrics(welcome.workerIndex);
    const auth = { ...welcome.config.auth, ...welcome.config.tuning.auth };
    const authenticator = await Authenticator.create({ auth, logger, onFetch: (result) => metrics.session.jwksFetches.inc({ result }) });
    const hookModules = await loadHookModules(welcome.config);
    const worker = new Worker(welcome, link, { uws, authenticator, hookModules, metrics }, logger);
    worker.#start();
    return worker;
  }

  /** A worker that runs in its own process adds the metrics of the process. */
  get metricsRegistry(): Registry {
    return this.#metrics.registry;
  }

  /** Handles every message except `welcome`. */
  receive(messages: readonly ToWorker[]): void {
    this.#delivery.receive(messages);
  }

  /** The hub is gone, or wants this worker to end: it accepts no new connections, and drains the open ones. */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#server.stopListening();
    const { drainConnectionsPerSecond, drainTimeoutMs } = this.#config.hub;
    // A hurried drain is better than none: when the time is over, the remaining connections are cut.
    const hurriedPerSecond = this.#connections.size / (Math.max(100, drainTimeoutMs / 2) / 1000);
    await sayGoodbye(this.#connections, { reason: 'draining', perSecond: Math.max(drainConnectionsPerSecond, hurriedPerSecond) });
    this.stop();
    this.#link.send({ kind: 'drained' });
  }

  stop(): void {
    this.#server.stopListening();
    this.#seconds?.stop();
    this.loopLag.stop();
    this.#authenticator.stop();
    this.#busWatch.stop();
    this.#connections.stop();
    this.#delivery.stop();
    this.#server.close();
  }

  #start(): void {
    this.#seconds = new AlignedInterval(1000, () => this.#everySecond());
    this.#logger.debug('worker started');
    this.#link.send({ kind: 'prepared' });
  }

  #listen(): void {
    if (this.#draining) return;
    const { host } = this.#config;
    const port = this.#server.listen(this.#port);
    if (port === undefined) {
      this.#link.send({ kind: 'startFailed', code: 'listen_failed', message: `cannot listen on ${host}:${this.#port}` });
      return this.stop();
    }
    this.#link.send({ kind: 'listening', port, uws: this.#uws.source, connectionsMax: this.#server.connectionsMax });
  }

  #whyUnavailable(): string | undefined {
    if (this.#draining) return 'the node is draining';
    return this.#busWatch.closes ? 'the broker is disconnected, and nats.whenAway is close' : undefined;
  }

  #receiveOther(message: WorkerMessage): void {
    switch (message.kind) {
      case 'listen':
        return this.#listen();
      case 'metricsWanted':
        return void this.#reporter.sendMetrics(message.requestId);
      case 'summaryWanted':
        return this.#reporter.sendSummary(message.requestId);
      case 'reportWanted':
        return void this.#reporter.sendReport(message);
      case 'connectionsWanted':
        return this.#reporter.sendConnections(message);
      case 'endWanted':
      case 'revoked':
        return this.#link.send({ kind: 'ended', requestId: message.requestId, connections: this.#connections.receive(message) ?? 0 });
      case 'sendToConnection':
        return this.#link.send({ kind: 'sent', requestId: message.requestId, outcome: this.#connections.fromServers.send(message) });
      case 'callConnection':
        return this.#connections.fromServers.call(message, (outcome) => {
          this.#link.send({ kind: 'called', requestId: message.requestId, outcome });
        });
      case 'revocations':
      case 'endSurplus':
        return void this.#connections.receive(message);
      case 'busStatus':
        return this.#busWatch.changed(message.connected);
      case 'drain':
        return void this.drain();
      case 'welcome':
        return;
    }
  }

  #everySecond(): void {
    const nowMs = Date.now();
    this.#server.tick();
    this.#delivery.everySecond(nowMs);
    this.#connections.everySecond(nowMs);
  }
}
