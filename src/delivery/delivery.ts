import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { shareOf } from '../config/share.ts';
import { CHANGES_FORGOTTEN } from '../fanout/catch-up.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import type { Encoding } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { namespaceOf } from '../protocol/topic.ts';
import type { ClientSocket, PublishToShard } from '../transport/transport.ts';
import { AnswerOutbox } from './answer-outbox.ts';
import { CatchingUp } from './catching-up.ts';
import { Departures } from './departures.ts';
import { FanoutPump } from './fanout-pump.ts';
import { feedStatusOf, staleStatusOf } from './feed-status.ts';
import { FrameSink } from './frame-sink.ts';
import { HubClient } from './hub-client.ts';
import { HubQueue } from './hub-queue.ts';
import { Memberships } from './memberships.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { MissedReader } from './missed-reader.ts';
import { NamespaceMessages } from './namespace-messages.ts';
import { Presence } from './presence.ts';
import { Receiver, type ReceiverOf, type ReceiverOptions } from './receiver.ts';
import { SlowConsumers } from './slow-consumers.ts';
import type { StreamPositions } from './stream-positions.ts';
import { Subscriptions } from './subscriptions.ts';
import { TopicTable } from './topic-table.ts';

/** Messages of the hub about topics, and its answers. */
export type DeliveryMessage = Extract<
  ToWorker,
  {
    kind:
      | 'publication'
      | 'opened'
      | 'openFailed'
      | 'resync'
      | 'topicStatus'
      | 'sendToNamespace'
      | 'topicStale'
      | 'presenceState'
      | 'presenceChanges'
      | 'presenceAnswer'
      | 'published'
      | 'items'
      | 'recovery'
      | 'place'
      | 'result'
      | 'serviceError'
      | 'hookAnswer'
      | 'admitted'
      | 'failed';
  }
>;
/** Messages to the worker. */
export type WorkerMessage = Exclude<ToWorker, DeliveryMessage>;

export interface DeliveryOptions {
  readonly config: Config;
  readonly link: WorkerEnd;
  readonly publish: PublishToShard;
  readonly receiverOf: ReceiverOf;
  readonly metrics: DeliveryMetrics;
  /** Called for messages that are not about topics, in their order among all messages of the hub. */
  readonly onWorkerMessage: (message: WorkerMessage) => void;
  /** Reports an error caused neither by a client nor by the bus. */
  readonly onBug: (error: Error) => void;
  /** Number of members from which on a shard is published to natively; for tests. */
  readonly nativeMembersMin?: number;
  /** Bytes in a topic's ring from which on its publications wait for its members; for tests. */
  readonly topicQueueFromBytes?: number;
}

/** The topics of a worker and their members: from the messages of the hub to frames on sockets. */
export class Delivery {
  readonly topics: TopicTable;
  readonly subscriptions: Subscriptions;
  readonly slowConsumers: SlowConsumers;
  /** Undefined: no namespace has it. */
  readonly presence: Presence | undefined;
  /** Requests to the hub. */
  readonly hub: HubClient;
  readonly #config: Config;
  readonly #memberships: Memberships;
  readonly #missedReader: MissedReader;
  readonly #catchingUp: CatchingUp;
  readonly #sink: FrameSink;
  readonly #pump: FanoutPump;
  readonly #hubQueue: HubQueue;
  readonly #outbox = new AnswerOutbox();
  readonly #departures = new Departures();
  readonly #namespaceMessages: NamespaceMessages;
  readonly #receiverOptions: ReceiverOptions;
  readonly #onWorkerMessage: (message: WorkerMessage) => void;

  constructor(options: DeliveryOptions) {
    const { config, link, publish, receiverOf, metrics, onWorkerMessage, onBug, nativeMembersMin } = options;
    const { limits, tuning } = config;
    const { fanout } = tuning;
    this.#config = config;
    this.#onWorkerMessage = onWorkerMessage;
    this.#receiverOptions = {
      lagThresholdBytes: fanout.lagThresholdBytes,
      sendBufferLimitBytes: limits.sendBufferLimitBytes,
      answerBytesPerMessageMax: tuning.commands.answerBytesPerMessageMax,
      frameBytesMax: fanout.frameBytesMax,
      outbox: this.#outbox,
      closedSlow: metrics.closedSlow,
      dropped: (receiver) => this.dropped(receiver),
    };
    this.topics = new TopicTable(config, link, metrics);
    this.hub = new HubClient(link, config);
    this.#memberships = new Memberships(fanout.groupConnectionsMax, nativeMembersMin);
    this.#missedReader = new MissedReader(this.hub, this.topics.recent);
    const { topics, hub } = this;
    const memberships = this.#memberships;
    const missedReader = this.#missedReader;
    this.#catchingUp = new CatchingUp({ config, memberships, hub, missedReader, metrics });
    this.slowConsumers = new SlowConsumers({
      config,
      topics,
      memberships,
      catchingUp: this.#catchingUp,
      metrics,
      tick: () => this.#pump.tick,
      onBug,
    });
    const { slowConsumers } = this;
    this.presence = Object.values(config.namespaces).some(({ presence }) => presence !== 'off')
      ? new Presence({
          link,
          hub,
          publish,
          outbox: this.#outbox,
          isNamed: (topic) => namespaceOptions(config, namespaceOf(topic))?.presence === 'members',
        })
      : undefined;
    const { presence } = this;
    this.#namespaceMessages = new NamespaceMessages({
      publish,
      outbox: this.#outbox,
      feeds: () => topics.feeds(),
      lagging: () => slowConsumers.receivers(),
    });
    this.subscriptions = new Subscriptions({
      frameBytesMax: fanout.frameBytesMax,
      selectionLimits: {
        perTopicMax: limits.selectionsPerTopicMax,
        perOwnerMax: shareOf(limits, limits.selectionsPerTopicMax),
        onShareRefused: () => metrics.shareRefused('selections'),
      },
      topics,
      memberships,
      slowConsumers,
      missedReader,
      presence,
      namespaceMessages: this.#namespaceMessages,
      metrics,
    });
    const give = slowConsumers.give.bind(slowConsumers);
    this.#sink = new FrameSink({ publishNatively: publish, receiverOf, metrics, give });
    this.#pump = new FanoutPump(fanout, this.#sink, {
      beforeTurn: () => {
        this.#outbox.flush();
        slowConsumers.leaveMarked();
      },
      afterTurn: () => metrics.turnEnded(),
      afterPass: () => this.#hubQueue.passEnded(),
    });
    this.#hubQueue = new HubQueue({
      topicQueueMaxMs: fanout.topicQueueMaxMs,
      topicQueueItemsMax: fanout.topicQueueItemsMax,
      topicQueueBytesMax: fanout.topicQueueBytesMax,
      topicQueueFromBytes: options.topicQueueFromBytes ?? fanout.lagThresholdBytes,
      feedOf: (topicNumber) => topics.feedOf(topicNumber),
      isOpen: (feed) => topics.isOpen(feed),
      other: (message) => this.#receiveOther(message),
      wake: (feeds) => {
        for (const feed of feeds) slowConsumers.startOver(feed, CHANGES_FORGOTTEN, feed.overtaken());
        this.#pump.wake(feeds);
      },
      onQueued: () => metrics.topicQueued.inc(),
    });
  }

  /** Creates the receiver of a new connection. */
  receiver(id: string, encoding: Encoding, socket: ClientSocket, positions?: StreamPositions): Receiver {
    return new Receiver(id, CODECS[encoding], socket, this.#receiverOptions, positions);
  }

  /** All messages of the hub, in order, except `welcome`. */
  receive(messages: readonly ToWorker[]): void {
    this.#hubQueue.receive(messages);
  }

  /** The connection's socket has dropped something. */
  dropped(receiver: Receiver): void {
    this.slowConsumers.dropped(receiver);
    this.presence?.dropped(receiver);
  }

  /** The connection's socket has accepted some of what waited for it. */
  drained(receiver: Receiver): void {
    this.slowConsumers.drained(receiver);
    this.presence?.drained(receiver);
  }

  /** The connection's socket has closed. */
  closed(receiver: Receiver): void {
    receiver.closed();
    this.#departures.add(this.subscriptions.endAll(receiver));
  }

  /** Called about once a second. */
  everySecond(nowMs: number): void {
    this.slowConsumers.check(nowMs);
    this.#catchingUp.forgetOld(nowMs);
    this.#missedReader.forgetOld();
    this.#memberships.merge();
    this.presence?.everySecond();
    this.#hubQueue.forgetOld();
  }

  stop(): void {
    this.presence?.stop();
    this.#departures.stop();
    this.#hubQueue.stop();
    this.#pump.stop();
  }

  #receiveOther(message: Exclude<ToWorker, { kind: 'publication' }>): void {
    switch (message.kind) {
      case 'opened':
        if (message.missed !== undefined) this.#missedReader.keep(message.topic, message.missed);
        return this.topics.opened(message);
      case 'openFailed':
        return this.topics.openFailed(message);
      case 'resync':
        return this.#resync(message);
      case 'topicStatus':
        return this.#topicStatus(message);
      case 'sendToNamespace':
        return this.#namespaceMessages.send(message.namespace, message.data);
      case 'topicStale':
        return this.#topicStale(message);
      case 'presenceState':
      case 'presenceChanges':
        return this.presence?.receive(message);
      case 'presenceAnswer':
      case 'published':
      case 'items':
      case 'recovery':
      case 'place':
      case 'result':
      case 'serviceError':
      case 'hookAnswer':
      case 'admitted':
      case 'failed':
        return this.hub.answered(message);
      default:
        return this.#onWorkerMessage(message);
    }
  }

  #resync(message: Extract<ToWorker, { kind: 'resync' }>): void {
    const feed = this.topics.get(message.topic);
    // Closed meanwhile: the next subscriber gets the state again.
    if (feed === undefined) return;
    this.#outbox.flush();
    this.#hubQueue.discard(feed);
    feed.reset(message);
    const { frameBytesMax } = this.#config.tuning.fanout;
    const told = this.#sink.resync(feed, message.reason, { frameBytesMax, tick: this.#pump.tick });
    if (!told) this.slowConsumers.startOver(feed, message.reason);
  }

  #topicStatus({ topic, awayReason }: Extract<ToWorker, { kind: 'topicStatus' }>): void {
    const feed = this.topics.get(topic);
    if (feed === undefined) return;
    this.#outbox.flush();
    feed.setStatus(awayReason);
    this.#tellAll(feed, feedStatusOf(feed));
  }

  #topicStale({ topic, stale }: Extract<ToWorker, { kind: 'topicStale' }>): void {
    const feed = this.topics.get(topic);
    if (feed === undefined) return;
    this.#outbox.flush();
    feed.stale = stale;
    this.#tellAll(feed, staleStatusOf(feed));
  }

  #tellAll(feed: TopicFeed, message: ServerMessage<'feed' | 'status'>): void {
    this.#sink.status(feed, message);
    this.slowConsumers.tell(feed, message);
  }
}
