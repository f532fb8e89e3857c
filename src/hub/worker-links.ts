import { randomBytes } from 'node:crypto';
import type { TlsMaterial } from '../config/certificates.ts';
import type { Config } from '../config/schema.ts';
import { workerConfig } from '../config/worker-config.ts';
import type { HubEnd } from '../link/link.ts';
import type { Page, ToHub, ToWorker, WorkerFacts } from '../link/messages.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Revocations } from './ending/revocations.ts';
import type { HubMetrics } from './hub-metrics.ts';
import type { HubPresence } from './presence.ts';
import type { RequestHandler } from './requests.ts';
import type { Deliverer } from './sending/deliverer.ts';
import type { TopicRegistry } from './topic-registry.ts';
import type { ConnectionLimit } from './users/connection-limit.ts';
import type { WorkerReports } from './worker-reports.ts';

/** What the supervisor learns from a worker. */
export interface WorkerEvents {
  /** The worker is ready, and waits for the command to listen. */
  onPrepared(): void;
  onListening(port: number, facts: WorkerFacts): void;
  onStartFailed(failure: { readonly code: string; readonly message: string }): void;
  onDrained(): void;
}

/** What workers that start now are told. */
export interface WelcomeOptions {
  readonly config: Config;
  readonly nodeId: string;
  /** Pages that every worker serves over plain HTTP. */
  readonly pages: readonly Page[];
  /** The certificates; undefined: no TLS. */
  readonly tls?: (() => TlsMaterial | undefined) | undefined;
  /** Of a demo: the key of its visitors' tokens. */
  readonly visitorSecret?: string | undefined;
}

export interface WorkerLinksOptions {
  /** Workers that are attached. Others read it too. */
  readonly workers: Set<HubEnd>;
  readonly welcome: WelcomeOptions;
  readonly isBusConnected: () => boolean;
  readonly metrics: HubMetrics;
  readonly topics: TopicRegistry;
  readonly requests: RequestHandler;
  readonly reports: WorkerReports;
  readonly connectionLimit: ConnectionLimit<HubEnd>;
  readonly revocations: Revocations;
  readonly deliverer: Deliverer;
  /** Undefined: no namespace has it. */
  readonly presence: HubPresence | undefined;
  readonly logger: Logger;
}

/** The links to the node's workers: attaches them, and hands what they send to the part of the hub that it is for. */
export class WorkerLinks {
  readonly metrics: HubMetrics;
  readonly #options: WorkerLinksOptions;
  readonly #listening = new Set<HubEnd>();

  constructor(options: WorkerLinksOptions) {
    this.#options = options;
    this.metrics = options.metrics;
  }

  /** Workers that accept connections. */
  get listeningCount(): number {
    return this.#listening.size;
  }

  /** Adds a worker: tells it the configuration, and serves it until its link closes. */
  attach(link: HubEnd, index: number, port: number, events: WorkerEvents): void {
    const { workers, welcome, deliverer, revocations } = this.#options;
    workers.add(link);
    this.metrics.workers.set(workers.size);
    link.onMessages((messages) => {
      for (const message of messages) this.#receive(link, index, message, events);
    });
    link.onClose(() => this.#remove(link, index));
    const idPrefix = `${welcome.nodeId}-${randomBytes(4).toString('hex')}.`;
    deliverer.addWorker(link, idPrefix);
    link.send(this.#welcome(index, port, idPrefix));
    revocations.tell(link);
  }

  tellAll(message: ToWorker): void {
    for (const worker of this.#options.workers) worker.send(message);
  }

  drain(): void {
    this.tellAll({ kind: 'drain' });
  }

  close(): void {
    for (const worker of [...this.#options.workers]) worker.close();
  }

  #welcome(workerIndex: number, port: number, idPrefix: string): ToWorker {
    const { config, nodeId, pages, tls: certificates, visitorSecret } = this.#options.welcome;
    const tls = certificates?.();
    return {
      kind: 'welcome',
      config: workerConfig(config),
      nodeId,
      workerIndex,
      idPrefix,
      port,
      busConnected: this.#options.isBusConnected(),
      pages,
      ...(tls !== undefined && { tls }),
      ...(visitorSecret !== undefined && { visitorSecret }),
    };
  }

  #remove(link: HubEnd, index: number): void {
    const { workers, topics, presence, connectionLimit, deliverer } = this.#options;
    workers.delete(link);
    this.#listening.delete(link);
    this.metrics.workers.set(workers.size);
    topics.removeWorker(link);
    presence?.removeWorker(link, index);
    connectionLimit.removeOwner(link);
    deliverer.removeWorker(link);
  }

  #receive(worker: HubEnd, index: number, message: ToHub, events: WorkerEvents): void {
    const { topics, requests, presence, connectionLimit, deliverer, reports } = this.#options;
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
        return topics.addInterest(message.topic, worker, requests.returning(message));
      case 'close':
        return topics.removeInterest(message.topic, worker);
      case 'publish':
        return void requests.publish(worker, message);
      case 'withdraw':
        return requests.withdraw(message);
      case 'read':
        return void requests.read(worker, message);
      case 'readLast':
        return void requests.readLast(worker, message);
      case 'readBetween':
        return void requests.readBetween(worker, message);
      case 'placeOf':
        return void requests.placeOf(worker, message);
      case 'recover':
        return void requests.recover(worker, message);
      case 'call':
        return void requests.call(worker, message);
      case 'askHook':
        return void requests.askHook(worker, message);
      case 'tellHook':
        return requests.tellHook(message);
      case 'presenceReport':
        return presence?.report(index, message);
      case 'presenceWatch':
        return presence?.watch(worker, message.topic);
      case 'presenceUnwatch':
        return presence?.unwatch(worker, message.topic);
      case 'presenceAsk':
        return presence?.answer(worker, message);
      case 'userConnected':
        return void this.#userConnected(worker, message);
      case 'userDisconnected':
        return connectionLimit.remove(message.user, message.connectionId);
      case 'sent':
      case 'called':
        return deliverer.answered(message);
      case 'ended':
      case 'connections':
      case 'metrics':
      case 'summary':
      case 'report':
        return reports.answered(message);
      default:
        // The link carries messages of the same build. Anything else is a bug; it is logged and does not crash the hub.
        message satisfies never;
        this.#options.logger.error({ message }, 'unknown message from a worker');
    }
  }

  async #userConnected(
    worker: HubEnd,
    { requestId, user, connectionId, sinceMs, connectionsMax }: Extract<ToHub, { kind: 'userConnected' }>,
  ): Promise<void> {
    const admitted = await this.#options.connectionLimit.add({ user, connectionId, owner: worker, sinceMs, connectionsMax });
    if (requestId !== undefined) worker.send({ kind: 'admitted', requestId, admitted });
  }
}
