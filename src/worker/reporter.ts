import type { HubClient } from '../delivery/hub-client.ts';
import type { SlowConsumers } from '../delivery/slow-consumers.ts';
import type { TopicTable } from '../delivery/topic-table.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import type { Authenticator } from '../session/authenticator.ts';
import type { Connection } from '../session/connection.ts';
import type { InFlight } from '../session/in-flight.ts';
import type { ReadTurns } from '../session/read-turns.ts';
import type { Gate } from '../transport/gate.ts';
import { describeLagging, describeTopics } from './report.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface ReporterOptions {
  readonly index: number;
  readonly link: WorkerEnd;
  readonly connections: ReadonlySet<Connection>;
  readonly connectionsMax: number;
  readonly topics: TopicTable;
  readonly slowConsumers: SlowConsumers;
  readonly hub: HubClient;
  readonly authenticator: Authenticator;
  readonly inFlight: InFlight;
  readonly turns: ReadTurns<Connection>;
  readonly gate: Gate;
  readonly metrics: WorkerMetrics;
}

/** Tells the hub how the worker is, when it asks: metrics for a scrape, a report for people. */
export class Reporter {
  readonly #options: ReporterOptions;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  async sendMetrics(requestId: number): Promise<void> {
    const { metrics, slowConsumers, hub, authenticator, inFlight, turns, gate, link } = this.#options;
    metrics.subscriptions.set(this.#countSubscriptions());
    metrics.lagging.set(slowConsumers.count);
    metrics.starting.set(slowConsumers.startingCount);
    metrics.answerBytes.set(hub.answers.bytes);
    metrics.answersWaiting.set(hub.answers.waiting);
    metrics.jwksAgeSeconds.set(authenticator.keySetAgeMs / 1000);
    metrics.commandBytesInFlight.set(inFlight.bytes);
    metrics.unreadBytes.set(turns.bytes);
    metrics.handshakes.set(gate.handshakes);
    metrics.acceptPaused.set(gate.isPaused ? 1 : 0);
    link.send({ kind: 'metrics', requestId, metrics: await metrics.registry.getMetricsAsJSON() });
  }

  async sendReport({ requestId, topics: wanted }: Extract<ToWorker, { kind: 'reportWanted' }>): Promise<void> {
    const { index, connections, connectionsMax, slowConsumers, topics, metrics, link } = this.#options;
    const report = {
      index,
      pid: process.pid,
      connections: connections.size,
      connectionsMax,
      subscriptions: this.#countSubscriptions(),
      lagging: slowConsumers.count,
      longestLagging: describeLagging(slowConsumers.connections(), Date.now()),
      topics: describeTopics(topics, wanted),
      totals: await metrics.totals(),
    };
    link.send({ kind: 'report', requestId, report });
  }

  #countSubscriptions(): number {
    let subscriptions = 0;
    for (const feed of this.#options.topics.feeds()) subscriptions += feed.members + feed.lagging;
    return subscriptions;
  }
}
