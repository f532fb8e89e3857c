import type { Delivery } from '../delivery/delivery.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import type { WorkerCounts } from '../link/reports.ts';
import type { Authenticator } from '../session/authenticator.ts';
import type { Connections } from '../session/connections.ts';
import { type LoopLag, processFigures } from '../telemetry/loop-lag.ts';
import type { WebSocketServer } from '../transport/server.ts';
import { describeConnections, describeLagging, describeTopics } from './report.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface ReporterOptions {
  readonly index: number;
  readonly link: WorkerEnd;
  readonly connections: Connections;
  readonly connectionsMax: number;
  readonly delivery: Pick<Delivery, 'topics' | 'slowConsumers' | 'hub'>;
  readonly authenticator: Authenticator;
  readonly server: Pick<WebSocketServer, 'handshakes' | 'requests' | 'streams'>;
  readonly metrics: WorkerMetrics;
  readonly loopLag: LoopLag;
}

/** Answers the hub's requests: metrics for a scrape, a report for display. */
export class Reporter {
  readonly #options: ReporterOptions;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  async sendMetrics(requestId: number): Promise<void> {
    const { metrics, delivery, authenticator, connections, server, link } = this.#options;
    const { slowConsumers, hub } = delivery;
    const { inFlight, unread } = connections.bytes;
    metrics.delivery.subscriptions.set(this.#countSubscriptions());
    metrics.delivery.lagging.set(slowConsumers.count);
    metrics.delivery.starting.set(slowConsumers.startingCount);
    metrics.delivery.answerBytes.set(hub.answers.bytes);
    metrics.delivery.answersWaiting.set(hub.answers.waiting);
    metrics.session.jwksAgeSeconds.set(authenticator.keySetAgeMs / 1000);
    metrics.session.commandBytesInFlight.set(inFlight);
    metrics.session.unreadBytes.set(unread);
    metrics.transport.handshakes.set(server.handshakes.count);
    metrics.transport.streams.set(server.streams);
    metrics.transport.requestsInFlight.set(server.requests.count);
    metrics.transport.requestBytesInFlight.set(server.requests.bytes);
    metrics.transport.acceptPaused.set(server.handshakes.isPaused ? 1 : 0);
    link.send({ kind: 'metrics', requestId, metrics: await metrics.registry.getMetricsAsJSON() });
  }

  sendSummary(requestId: number): void {
    this.#options.link.send({ kind: 'summary', requestId, ...this.#counts(), deliveries: this.#options.metrics.delivery.deliveredItems });
  }

  async sendReport({ requestId, topics: wanted }: Extract<ToWorker, { kind: 'reportWanted' }>): Promise<void> {
    const { index, connections, delivery, metrics, loopLag, link } = this.#options;
    const { slowConsumers, topics } = delivery;
    const report = {
      index,
      pid: process.pid,
      ...this.#counts(),
      longestLagging: describeLagging(slowConsumers.receivers(), ({ id }) => connections.find(id)?.identity.user ?? null, Date.now()),
      topics: describeTopics(topics, wanted),
      totals: await metrics.totals(),
      process: processFigures(loopLag),
    };
    link.send({ kind: 'report', requestId, report });
  }

  sendConnections({ requestId, target, limit }: Extract<ToWorker, { kind: 'connectionsWanted' }>): void {
    const { connections, link } = this.#options;
    link.send({ kind: 'connections', requestId, ...describeConnections(connections, target, limit) });
  }

  #counts(): WorkerCounts {
    const { connections, connectionsMax, delivery } = this.#options;
    return {
      connections: connections.size,
      connectionsMax,
      subscriptions: this.#countSubscriptions(),
      lagging: delivery.slowConsumers.count,
    };
  }

  #countSubscriptions(): number {
    let subscriptions = 0;
    for (const feed of this.#options.delivery.topics.feeds()) subscriptions += feed.members + feed.lagging;
    return subscriptions;
  }
}
