import type { Bus, Listener, Log, Publication } from '../bus/bus.ts';
import { BusError } from '../bus/bus.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { LinkItem, TopicState } from '../link/messages.ts';
import type { Logger } from '../ops/log.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';
import type { FollowerView, HubMetrics } from './hub-metrics.ts';
import { HubTopic } from './hub-topic.ts';
import { toLinkItem } from './link-item.ts';
import { LogFollower } from './log-follower.ts';

/** A durable namespace's log and who follows it, while there are open topics in it. */
interface NamespaceFeed {
  readonly follower: LogFollower;
  topics: number;
}

/**
 * Which topics this node is interested in, and what feeds them: one follower for a durable namespace, one listener for an ephemeral topic.
 * A topic opens with its first local subscriber and closes a linger after its last.
 */
export class TopicRegistry {
  readonly #config: Config;
  readonly #bus: Bus;
  readonly #logger: Logger;
  readonly #metrics: HubMetrics;
  readonly #topics = new Map<Topic, HubTopic>();
  readonly #listeners = new Map<Topic, Listener>();
  readonly #feeds = new Map<string, NamespaceFeed>();
  readonly #lingers = new Map<Topic, NodeJS.Timeout>();
  #nextNumber = 1;

  constructor(config: Config, bus: Bus, logger: Logger, metrics: HubMetrics) {
    this.#config = config;
    this.#bus = bus;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** What follows the durable namespaces, for metrics. */
  *followers(): Iterable<FollowerView> {
    for (const [namespace, { follower }] of this.#feeds) yield { namespace, lag: () => follower.lag() };
  }

  get(topic: Topic): HubTopic | undefined {
    return this.#topics.get(topic);
  }

  all(): Iterable<HubTopic> {
    return this.#topics.values();
  }

  /** A worker has its first subscriber to the topic: it gets `opened`, now or when the topic is, or `openFailed`. */
  addInterest(name: Topic, worker: HubEnd): void {
    clearTimeout(this.#lingers.get(name));
    this.#lingers.delete(name);
    const known = this.#topics.get(name);
    if (known !== undefined) {
      known.addWorker(worker);
      return;
    }
    if (this.#topics.size >= this.#config.limits.topicsPerNodeMax) {
      worker.send({ kind: 'openFailed', topic: name, code: 'busy', message: 'this node holds as many topics as it may' });
      return;
    }
    const namespace = this.#namespace(name);
    const topic = new HubTopic(name, this.#nextNumber++, namespace.durable, this.#config.limits.keysPerTopicMax);
    topic.addWorker(worker);
    this.#topics.set(name, topic);
    this.#metrics.topics.set(this.#topics.size);
    if (namespace.durable) void this.#openDurable(topic);
    else this.#openEphemeral(topic);
  }

  removeInterest(name: Topic, worker: HubEnd): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    topic.removeWorker(worker);
    if (topic.workerCount > 0 || this.#lingers.has(name)) return;
    this.#lingers.set(
      name,
      setTimeout(() => this.#close(topic), this.#config.hub.topicLingerMs),
    );
  }

  /** The worker is gone. */
  removeWorker(worker: HubEnd): void {
    for (const name of this.#topics.keys()) this.removeInterest(name, worker);
  }

  async stop(): Promise<void> {
    for (const timer of this.#lingers.values()) clearTimeout(timer);
    for (const listener of this.#listeners.values()) listener.stop();
    await Promise.all([...this.#feeds.values()].map((feed) => feed.follower.stop()));
    this.#topics.clear();
  }

  #namespace(topic: Topic): NamespaceOptions {
    // Workers let no topic of an unknown namespace through.
    return this.#config.namespaces[namespaceOf(topic)] as NamespaceOptions;
  }

  #openEphemeral(topic: HubTopic): void {
    this.#listeners.set(
      topic.topic,
      this.#bus.listen(topic.topic, (publication) => this.#publish(topic, publication)),
    );
    topic.open({ epoch: '', offset: 0, items: [] });
  }

  async #openDurable(topic: HubTopic): Promise<void> {
    const feed = this.#feed(topic.topic);
    feed.topics++;
    try {
      await feed.follower.start();
      const state = await this.#readState(topic);
      if (this.#topics.get(topic.topic) === topic) topic.open(state);
    } catch (error) {
      this.#giveUp(topic, error as Error);
    }
  }

  #giveUp(topic: HubTopic, error: Error): void {
    this.#logger.warn({ topic: topic.topic, err: error }, 'topic could not be opened');
    const code: ErrorCode = error instanceof BusError ? 'unavailable' : 'internal';
    topic.fail({ kind: 'openFailed', topic: topic.topic, code, message: 'the topic could not be opened; try again' });
    this.#close(topic);
  }

  async #readState(topic: HubTopic): Promise<TopicState> {
    for (;;) {
      const state = await this.#readStateOnce(topic.topic);
      if (!topic.takeOverflow()) return state;
      this.#logger.warn({ topic: topic.topic }, 'more publications came than may wait while a topic is opened; reading its state again');
    }
  }

  async #readStateOnce(topic: Topic): Promise<TopicState> {
    const log = this.#bus.log(namespaceOf(topic));
    // The end of the log is read first: a topic that has nothing stands where the log stood before anybody could have missed a publication of it.
    const { epoch, lastOffset } = await log.state();
    const publications = await log.snapshot(topic);
    const items: LinkItem[] = [];
    for (const publication of publications.slice(-this.#config.limits.keysPerTopicMax)) {
      const item = toLinkItem(publication, this.#namespace(topic));
      if (item.kind === 'item') items.push(item.item);
    }
    return { epoch, offset: publications.at(-1)?.offset ?? lastOffset, items };
  }

  #feed(topic: Topic): NamespaceFeed {
    const namespace = namespaceOf(topic);
    const known = this.#feeds.get(namespace);
    if (known !== undefined) return known;
    const log: Log = this.#bus.log(namespace);
    const counter = this.#metrics.publicationsIn.labels({ topic_namespace: namespace });
    const follower = new LogFollower(log, this.#logger, {
      onPublication: (publication) => {
        counter.inc();
        const open = this.#topics.get(publication.topic);
        if (open !== undefined) this.#publish(open, publication);
      },
      onBroken: () => {
        for (const open of this.#durableTopics(namespace)) open.reopen();
      },
      onRestarted: (reason) => void this.#resyncAll(namespace, reason),
    });
    const feed = { follower, topics: 0 };
    this.#feeds.set(namespace, feed);
    return feed;
  }

  async #resyncAll(namespace: string, reason: string): Promise<void> {
    for (const topic of this.#durableTopics(namespace)) {
      try {
        topic.open(await this.#readState(topic), reason);
      } catch (error) {
        this.#giveUp(topic, error as Error);
      }
    }
  }

  #durableTopics(namespace: string): HubTopic[] {
    return [...this.#topics.values()].filter((topic) => topic.durable && namespaceOf(topic.topic) === namespace);
  }

  #publish(topic: HubTopic, publication: Publication): void {
    const namespace = this.#namespace(topic.topic);
    if (!namespace.durable) this.#metrics.publicationsIn.inc({ topic_namespace: namespaceOf(topic.topic) });
    const result = toLinkItem(publication, namespace);
    if (result.kind === 'skipped') {
      this.#metrics.skipped(result.reason, publication.topic, result.detail);
      return;
    }
    topic.publish(result.item);
  }

  #close(topic: HubTopic): void {
    const name = topic.topic;
    this.#lingers.delete(name);
    if (this.#topics.get(name) !== topic || topic.workerCount > 0) return;
    this.#topics.delete(name);
    this.#metrics.topics.set(this.#topics.size);
    this.#listeners.get(name)?.stop();
    this.#listeners.delete(name);
    if (!topic.durable) return;
    const namespace = namespaceOf(name);
    const feed = this.#feeds.get(namespace);
    if (feed === undefined || --feed.topics > 0) return;
    this.#feeds.delete(namespace);
    void feed.follower.stop();
  }
}
