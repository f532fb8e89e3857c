import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import type { Authenticator } from './authenticator.ts';
import type { Connection } from './connection.ts';
import type { Gate } from './gate.ts';
import type { HubClient } from './hub-client.ts';
import type { InFlight } from './in-flight.ts';
import type { Laggards } from './laggards.ts';
import type { ReadTurns } from './read-turns.ts';
import { describeLagging, describeTopics } from './report.ts';
import type { TopicTable } from './topic-table.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface ReporterOptions {
  readonly index: number;
  readonly link: WorkerEnd;
  readonly connections: ReadonlySet<Connection>;
  readonly connectionsMax: number;
  readonly topics: TopicTable;
  readonly laggards: Laggards;
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
    const { metrics, laggards, hub, authenticator, inFlight, turns, gate, link } = this.#options;
    metrics.subscriptions.set(this.#countSubscriptions());
    metrics.lagging.set(laggards.count);
    metrics.starting.set(laggards.startingCount);
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
    const { index, connections, connectionsMax, laggards, topics, metrics, link } = this.#options;
    const report = {
      index,
      pid: process.pid,
      connections: connections.size,
      connectionsMax,
      subscriptions: this.#countSubscriptions(),
      lagging: laggards.count,
      longestLagging: describeLagging(laggards.connections(), Date.now()),
      topics: describeTopics(topics, wanted),
      totals: await metrics.totals(),
    };
    link.send({ kind: 'report', requestId, report });
  }

  #countSubscriptions(): number {
    let subscriptions = 0;
    for (const feed of this.#options.topics.feeds()) subscriptions += feed.members + feed.laggards;
    return subscriptions;
  }
}
