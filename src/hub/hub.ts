import { randomBytes } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { Bus } from '../bus/bus.ts';
import type { HubEnd } from '../link/link.ts';
import type { Revocation } from '../link/orders.ts';
import type { Topic } from '../protocol/topic.ts';
import { HookMetrics } from '../telemetry/hook-metrics.ts';
import type { Logger } from '../telemetry/log.ts';
import { Revocations } from './ending/revocations.ts';
import { NatsHooks } from './hooks/nats-hooks.ts';
import { HubMetrics } from './hub-metrics.ts';
import type { OtherNode } from './node-answers.ts';
import { Operator } from './operator.ts';
import { HubPresence, hasPresence } from './presence.ts';
import { Publisher } from './publisher.ts';
import { RequestHandler } from './requests.ts';
import type { Sanitizer } from './sanitizing/sanitizer.ts';
import { Deliverer } from './sending/deliverer.ts';
import { TopicRegistry } from './topic-registry.ts';
import { ConnectionLimit } from './users/connection-limit.ts';
import { watchPresence, watchReads, watchSending, watchStale, watchUsers } from './watched-metrics.ts';
import { type WelcomeOptions, WorkerLinks } from './worker-links.ts';
import { WorkerReports } from './worker-reports.ts';

export interface HubOptions extends WelcomeOptions {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Default: there are none. */
  readonly others?: () => readonly OtherNode[];
  /** Absent: no namespace sanitizes. */
  readonly sanitizer?: Sanitizer | undefined;
}

/**
 * The node's connection to the bus: puts its parts together. It knows its workers only as links; the supervisor starts and stops them.
 */
export class Hub {
  /** Id of this process, for other nodes. */
  readonly instance = randomBytes(9).toString('base64url');
  readonly metrics: HubMetrics;
  readonly links: WorkerLinks;
  readonly operator: Operator;
  readonly #topics: TopicRegistry;
  readonly #connectionLimit: ConnectionLimit<HubEnd>;
  readonly #revocations: Revocations;
  readonly #deliverer: Deliverer;
  /** Undefined: no namespace has it. */
  readonly #presence: HubPresence | undefined;
  readonly #stopWatchingBus: () => void;
  /** Counts connects and disconnects of the bus. */
  #busChange = 0;

  constructor(options: HubOptions) {
    const { config, bus, nodeId, logger, registry } = options;
    const { instance } = this;
    const metrics = new HubMetrics(registry, logger);
    this.metrics = metrics;
    const topics = new TopicRegistry(config, bus, logger, metrics);
    this.#topics = topics;
    const publisher = new Publisher(config, bus, metrics, (topic) => topics.get(topic)?.document);
    const hooks = NatsHooks.create({
      config,
      bus,
      nodeId,
      publisher,
      metrics: () => new HookMetrics('stentor_hook_seconds', registry, logger),
    });
    const { sanitizer } = options;
    const requests = new RequestHandler({ config, bus, nodeId, registry: topics, publisher, hooks, sanitizer, metrics, logger });
    const workers = new Set<HubEnd>();
    const reports = new WorkerReports(workers, config);
    const connectionLimit = new ConnectionLimit<HubEnd>({
      config,
      bus,
      instance,
      close: (worker, connectionId) => worker.send({ kind: 'endSurplus', connectionId }),
    });
    this.#connectionLimit = connectionLimit;
    const revoke = (revoked: readonly Revocation[]) => reports.revoke(revoked);
    const revocations = new Revocations({ config, bus, logger, workers, revoke });
    this.#revocations = revocations;
    const presence = hasPresence(config) ? new HubPresence({ config, bus, logger }) : undefined;
    this.#presence = presence;
    const deliverer = new Deliverer({ config, bus, logger, workers });
    this.#deliverer = deliverer;
    this.operator = new Operator({
      config,
      bus,
      nodeId,
      instance,
      logger,
      metrics,
      others: options.others ?? (() => []),
      topics,
      publisher,
      history: requests.history,
      byTime: requests.historyByTime,
      reports,
      connectionLimit,
      revocations,
      presence,
    });
    this.links = new WorkerLinks({
      workers,
      welcome: options,
      isBusConnected: () => bus.connected,
      metrics,
      topics,
      requests,
      reports,
      connectionLimit,
      revocations,
      deliverer,
      presence,
      logger,
    });
    metrics.watch(bus, () => topics.followers(), registry);
    watchStale(() => topics.stale(), registry);
    watchUsers(connectionLimit, revocations, registry);
    watchReads(() => requests.history.bytes, registry);
    if (presence !== undefined) watchPresence(presence, registry);
    watchSending(deliverer, registry);
    metrics.busConnected.set(bus.connected ? 1 : 0);
    this.#stopWatchingBus = bus.onConnectedChange((connected) => this.#busChanged(connected));
  }

  /** Whether anybody on this node is, or recently was, subscribed to the topic. */
  isOpen(topic: Topic): boolean {
    return this.#topics.get(topic) !== undefined;
  }

  async stop(): Promise<void> {
    // The bus is stopped next, so its disconnect need not be reported.
    this.#stopWatchingBus();
    this.#presence?.stop();
    this.#connectionLimit.stop();
    this.operator.stop();
    this.#deliverer.stop();
    this.#revocations.stop();
    await this.#topics.stop();
    this.links.close();
  }

  #busChanged(connected: boolean): void {
    this.metrics.busConnected.set(connected ? 1 : 0);
    const change = ++this.#busChange;
    const tell = () => {
      if (change === this.#busChange) this.links.tellAll({ kind: 'busStatus', connected });
    };
    // The feed is live when the followers have resumed, not when the connection is back.
    if (connected) void this.#topics.whenFollowing().then(tell);
    else tell();
  }
}
