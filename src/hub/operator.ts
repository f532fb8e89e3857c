import type { Bus } from '../bus/bus.ts';
import { messageId } from '../bus/message-id.ts';
import type { PublishAck } from '../bus/publication.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { EndOrder } from '../link/orders.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { assertTopicFits } from '../protocol/publish-rules.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import type { Logger } from '../telemetry/log.ts';
import { LoopLag, processFigures } from '../telemetry/loop-lag.ts';
import { Control } from './ending/control.ts';
import type { Revocations } from './ending/revocations.ts';
import { toProtocolError } from './failure.ts';
import { nodeFigures, summaryOf } from './figures.ts';
import { Finder } from './finding/finder.ts';
import type { History } from './history.ts';
import type { HistoryByTime } from './history-by-time.ts';
import { readHistory } from './history-page.ts';
import type { HubMetrics } from './hub-metrics.ts';
import type { OtherNode } from './node-answers.ts';
import { Overview } from './overview.ts';
import type { HubPresence } from './presence.ts';
import { presenceOverview } from './presence-overview.ts';
import type { Publisher, ServerDraft } from './publisher.ts';
import type { HistoryPage, HistoryQuestion, NodeFigures, PresenceOverview } from './report-types.ts';
import { Sender } from './sending/sender.ts';
import { Sampler } from './series/sampler.ts';
import type { TopicRegistry } from './topic-registry.ts';
import type { ConnectionLimit } from './users/connection-limit.ts';
import { usersOverview } from './users/overview.ts';
import type { WorkerReports } from './worker-reports.ts';

export interface OperatorOptions {
  readonly config: Config;
  readonly bus: Bus;
  readonly nodeId: string;
  /** Id of this process. */
  readonly instance: string;
  readonly logger: Logger;
  readonly metrics: HubMetrics;
  readonly others: () => readonly OtherNode[];
  readonly topics: TopicRegistry;
  readonly publisher: Publisher;
  readonly history: History;
  readonly byTime: HistoryByTime;
  readonly reports: WorkerReports;
  readonly connectionLimit: ConnectionLimit<HubEnd>;
  readonly revocations: Revocations;
  /** Undefined: no namespace has it. */
  readonly presence: HubPresence | undefined;
}

/** What the admin port and a program that embeds the node ask of the hub. */
export class Operator {
  /** Users, connections, topics and the last hour, of all nodes. */
  readonly finder: Finder;
  /** Sends to clients, and calls them, on all nodes. */
  readonly sender: Sender;
  /** Ends connections, subscriptions and tokens, on all nodes. */
  readonly control: Control;
  /** Of the workers of this node. */
  readonly reports: WorkerReports;
  /** Of the hub's process. */
  readonly loopLag = new LoopLag();
  readonly #options: OperatorOptions;
  readonly #sampler: Sampler;

  constructor(options: OperatorOptions) {
    const { config, bus, nodeId, instance, logger, others, reports, revocations } = options;
    this.#options = options;
    this.reports = reports;
    const end = (order: EndOrder) => reports.end(order);
    this.control = new Control({ config, bus, instance, logger, revocations, end, others });
    const { seriesIntervalMs: intervalMs, seriesPointsMax: pointsMax } = config.tuning.admin;
    const sampler = new Sampler({ intervalMs, pointsMax, figures: () => this.figures(), logger });
    this.#sampler = sampler;
    const overview = new Overview(options.topics, reports);
    this.finder = new Finder({
      config,
      bus,
      instance,
      nodeId,
      logger,
      others,
      local: {
        users: (question) => usersOverview(options.connectionLimit, question),
        connections: (target, limit) => reports.connections(target, limit),
        topics: (question) => overview.topics(question),
        series: () => sampler.columns(),
      },
    });
    this.sender = new Sender({ config, bus, finder: this.finder });
  }

  /** Of this node. */
  async figures(): Promise<NodeFigures> {
    const { reports, metrics, topics } = this.#options;
    const [answers, totals] = await Promise.all([reports.reports(), metrics.totals()]);
    return nodeFigures(answers, { topics: topics.size, ...totals, process: processFigures(this.loopLag) });
  }

  /** The few of them that the other nodes are told. */
  async summary() {
    const { reports, metrics, topics } = this.#options;
    return { ...summaryOf(await reports.summaries()), topics: topics.size, publicationsIn: metrics.publicationsIn };
  }

  /** @throws ProtocolError as {@link readHistory} */
  history(question: HistoryQuestion): Promise<HistoryPage> {
    return readHistory(this.#options, question);
  }

  /** Who is subscribed to a topic, on all nodes. @throws ProtocolError `unknown_namespace`, `bad_topic`, `unsupported` */
  presence(topic: Topic): PresenceOverview {
    const { config, presence } = this.#options;
    assertTopicFits(topic, namespaceOptions(config, namespaceOf(topic)));
    const state = presence?.state(topic);
    if (state === undefined) throw new ProtocolError('unsupported', `${topic} has no presence: the namespace option presence is off`);
    return presenceOverview(state);
  }

  /** The publication has no user, like one of a producer. @throws ProtocolError; if the bus has failed, with its error as the cause */
  async publish({ exceptConnection, ...draft }: ServerDraft, idempotencyKey?: string): Promise<PublishAck> {
    const { config } = this.#options;
    const extras = {
      // A client's user is never empty.
      ...(idempotencyKey !== undefined && { messageId: messageId(draft.topic, '', idempotencyKey, config.nats.originSecrets[0]) }),
      ...(exceptConnection !== undefined && { origin: { user: '', connectionId: exceptConnection } }),
    };
    const noEcho = exceptConnection === undefined ? undefined : (true as const);
    try {
      return await this.#options.publisher.publish({ ...draft, noEcho }, extras);
    } catch (error) {
      throw toProtocolError(error as Error);
    }
  }

  stop(): void {
    this.control.stop();
    this.finder.stop();
    this.#sampler.stop();
    this.loopLag.stop();
  }
}
