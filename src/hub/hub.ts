import type { Registry } from 'prom-client';
import type { Bus } from '../bus/bus.ts';
import type { Config } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { Page, ToHub } from '../link/messages.ts';
import type { Logger } from '../ops/log.ts';
import { HubMetrics } from './hub-metrics.ts';
import { RequestHandler } from './requests.ts';
import { TopicRegistry } from './topic-registry.ts';

export interface HubOptions {
  readonly config: Config;
  readonly bus: Bus;
  readonly nodeId: string;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Served by every worker over plain HTTP. */
  readonly pages: readonly Page[];
}

/** What the supervisor learns from a worker. */
export interface WorkerEvents {
  onListening(port: number): void;
  onStartFailed(failure: { readonly code: string; readonly message: string }): void;
  onDrained(): void;
}

const WORKER_METRICS_TIMEOUT_MS = 1000;

/** The node's one side towards the bus. Knows its workers as links only; who starts and ends them is the supervisor's business. */
export class Hub {
  readonly metrics: HubMetrics;
  readonly #options: HubOptions;
  readonly #topics: TopicRegistry;
  readonly #requests: RequestHandler;
  readonly #workers = new Set<HubEnd>();
  readonly #metricsWaiting = new Map<number, (metrics: unknown) => void>();
  #nextMetricsRequest = 1;

  constructor(options: HubOptions) {
    const { config, bus, logger } = options;
    this.#options = options;
    this.metrics = new HubMetrics(options.registry, logger);
    this.#topics = new TopicRegistry(config, bus, logger, this.metrics);
    this.#requests = new RequestHandler(config, bus, this.#topics, this.metrics);
    this.metrics.watch(bus, () => this.#topics.followers(), options.registry);
    this.metrics.busConnected.set(bus.connected ? 1 : 0);
    bus.onConnectedChange((connected) => this.#busChanged(connected));
  }

  get workerCount(): number {
    return this.#workers.size;
  }

  /** Takes a worker on: tells it who it is, and serves it until its link closes. */
  attach(link: HubEnd, index: number, port: number, events: WorkerEvents): void {
    this.#workers.add(link);
    this.metrics.workers.set(this.#workers.size);
    link.onMessages((messages) => {
      for (const message of messages) this.#receive(link, message, events);
    });
    link.onClose(() => {
      this.#workers.delete(link);
      this.metrics.workers.set(this.#workers.size);
      this.#topics.removeWorker(link);
    });
    const { config, nodeId, bus, pages } = this.#options;
    link.send({ kind: 'welcome', config, nodeId, workerIndex: index, port, busConnected: bus.connected, pages });
  }

  /** Every worker's metrics, as prom-client's JSON; a worker that does not answer in time is left out. */
  async workerMetrics(): Promise<unknown[]> {
    const answers = [...this.#workers].map((worker) => this.#metricsOf(worker));
    return (await Promise.all(answers)).filter((metrics) => metrics !== undefined);
  }

  drain(): void {
    for (const worker of this.#workers) worker.send({ kind: 'drain' });
  }

  async stop(): Promise<void> {
    await this.#topics.stop();
    for (const worker of [...this.#workers]) worker.close();
  }

  #receive(worker: HubEnd, message: ToHub, events: WorkerEvents): void {
    switch (message.kind) {
      case 'listening':
        return events.onListening(message.port);
      case 'startFailed':
        return events.onStartFailed(message);
      case 'drained':
        return events.onDrained();
      case 'open':
        return this.#topics.addInterest(message.topic, worker);
      case 'close':
        return this.#topics.removeInterest(message.topic, worker);
      case 'publish':
        return void this.#requests.publish(worker, message);
      case 'read':
        return void this.#requests.read(worker, message);
      case 'readLast':
        return void this.#requests.readLast(worker, message);
      case 'call':
        return void this.#requests.call(worker, message);
      case 'metrics':
        this.#metricsWaiting.get(message.requestId)?.(message.metrics);
        return;
      default:
        // The link carries messages of this same build; anything else is a bug worth a line, not a crash.
        message satisfies never;
        this.#options.logger.error({ message }, 'unknown message from a worker');
    }
  }

  #metricsOf(worker: HubEnd): Promise<unknown> {
    const requestId = this.#nextMetricsRequest++;
    return new Promise((resolve) => {
      const finish = (metrics: unknown) => {
        clearTimeout(timer);
        this.#metricsWaiting.delete(requestId);
        resolve(metrics);
      };
      const timer = setTimeout(() => finish(undefined), WORKER_METRICS_TIMEOUT_MS);
      this.#metricsWaiting.set(requestId, finish);
      worker.send({ kind: 'metricsWanted', requestId });
    });
  }

  #busChanged(connected: boolean): void {
    this.metrics.busConnected.set(connected ? 1 : 0);
    this.#options.logger[connected ? 'info' : 'warn']({ bus: this.#options.bus.kind }, connected ? 'bus connected' : 'bus disconnected');
    for (const worker of this.#workers) worker.send({ kind: 'busStatus', connected });
  }
}
