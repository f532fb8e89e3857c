import type { Bus } from '../bus/bus.ts';
import { BusError, type BusErrorCode } from '../bus/bus-error.ts';
import type { Publication } from '../bus/publication.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { LinkItem } from '../link/publication-message.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { type FeedName, isPattern, isWholeTopic, keyOf, topicOf } from '../protocol/feed-name.ts';
import { hasDocuments } from '../protocol/feed-state.ts';
import { namespaceOf } from '../protocol/topic.ts';
import { RecentBudget } from '../recent/budget.ts';
import type { Logger } from '../telemetry/log.ts';
import { Turns } from '../telemetry/turns.ts';
import { dispatch } from './dispatch.ts';
import { HubDocument } from './documents/hub-document.ts';
import { HubDocuments, topicBoundsOf } from './documents/hub-documents.ts';
import { EphemeralSources } from './ephemeral-sources.ts';
import { FeedHealth, type StaleCount } from './health/feed-health.ts';
import type { FollowerView, HubMetrics } from './hub-metrics.ts';
import { type DocumentOptions, HubTopic, type Returning } from './hub-topic.ts';
import { Lingering } from './lingering.ts';
import { toLinkItem } from './link-item.ts';
import { LinkRoom } from './link-room.ts';
import { NamespaceFeed } from './namespace-feed.ts';
import type { Matching } from './open-feeds.ts';
import { PatternCounts } from './pattern-counts.ts';
import { LINK_ITEM_FORM } from './recent-items.ts';

const NONE: readonly HubTopic[] = [];
/** Time of a loop turn for topics that are opened together. Their last publications may be large. */
const OPENING_TURN_MS = 4;

/** Failures that are not logged again for each topic. */
const QUIET: ReadonlySet<BusErrorCode> = new Set(['permission_denied', 'bus_busy']);

/**
 * The topics that this node has open, and their sources: one follower for a durable namespace, one subscription for an ephemeral topic. A topic is opened for
 * its first local subscriber, and closed some time after the last one has left.
 */
export class TopicRegistry {
  readonly #config: Config;
  readonly #bus: Bus;
  readonly #logger: Logger;
  readonly #metrics: HubMetrics;
  readonly #topics = new Map<FeedName, HubTopic>();
  readonly #patterns = new PatternCounts();
  readonly #lingering: Lingering;
  readonly #ephemeral: EphemeralSources;
  /** The sources of durable namespaces. */
  readonly #feeds = new Map<string, NamespaceFeed>();
  /** By the name of one key: its topic, which is open for it. */
  readonly #held = new Map<FeedName, HubTopic>();
  /** What the hub keeps of the recent past, for all topics. */
  readonly recent: RecentBudget<LinkItem>;
  /** For answers to the worker: publications do not wait behind many of them. Created once, not for each topic. */
  readonly whenRoom: LinkRoom['whenRoom'] = (link, tell) => this.#room.whenRoom(link, tell);
  readonly #room: LinkRoom;
  readonly #openingTurns = new Turns(OPENING_TURN_MS);
  /** Undefined: no namespace has `staleAfterMs`. */
  readonly #health: FeedHealth | undefined;
  #nextNumber = 1;

  constructor(config: Config, bus: Bus, logger: Logger, metrics: HubMetrics) {
    this.#config = config;
    this.#bus = bus;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#room = new LinkRoom(config.tuning.hub.linkAnswersBytesMax);
    this.#lingering = new Lingering(config.tuning.hub.topicLingerMs);
    this.#ephemeral = new EphemeralSources(
      bus,
      (topic, publication) => this.#publish({ named: [topic], patterns: NONE }, publication),
      (patterns, publication) => this.#publish({ named: NONE, patterns }, publication),
    );
    this.recent = new RecentBudget(LINK_ITEM_FORM, config.tuning.recent);
    this.#health = FeedHealth.create({
      config,
      bus,
      hearingOf: (namespace) => (config.namespaces[namespace]?.durable ? this.#feeds.get(namespace)?.hearing : 'no log'),
      onChange: (topic, stale) => this.#topics.get(topic)?.setStale(stale),
    });
  }

  get size(): number {
    return this.#topics.size;
  }

  /** The followers of the durable namespaces, for metrics. */
  *followers(): Iterable<FollowerView> {
    for (const feed of this.#feeds.values()) yield { namespace: feed.name, filteredTopics: feed.filteredTopics, lag: () => feed.lag() };
  }

  /** The source of the topic's namespace, while any topic of it is open. */
  feedOf(topic: FeedName): NamespaceFeed | undefined {
    return this.#feeds.get(namespaceOf(topic));
  }

  /** Resolves when all logs are followed, or have not been reachable for some seconds; their topics are then told that they are not live. Never rejects. */
  async whenFollowing(): Promise<void> {
    await Promise.allSettled([...this.#feeds.values()].map((feed) => feed.ready()));
  }

  /** Stale topics, for metrics. */
  stale(): Iterable<StaleCount> {
    return this.#health?.counts() ?? [];
  }

  get(topic: FeedName): HubTopic | undefined {
    return this.#topics.get(topic);
  }

  all(): Iterable<HubTopic> {
    return this.#topics.values();
  }

  /** A worker has its first subscriber to the topic. It gets `opened`, now or when the topic is open, or `openFailed`. */
  addInterest(name: FeedName, worker: HubEnd, returning?: Returning): void {
    this.#lingering.remove(name);
    const known = this.#topics.get(name);
    if (known !== undefined) {
      known.addWorker(worker, returning);
      return;
    }
    const namespace = this.#namespace(name);
    const isHeld = namespace.patch && keyOf(name) !== undefined ? this.#holdTopicOf(name) : true;
    if (!isHeld || !this.#hasRoom()) {
      this.#letGo(name);
      worker.send({ kind: 'openFailed', topic: name, code: 'busy', message: 'this node has the maximum number of open topics' });
      return;
    }
    if (isPattern(name)) {
      const problem = this.#patternProblem(name, namespace);
      if (problem !== undefined) return void worker.send({ kind: 'openFailed', topic: name, code: 'too_many_patterns', message: problem });
      this.#patterns.change(name, 1);
    }
    this.#open(name, namespace, (topic) => topic.addWorker(worker, returning));
  }

  /** @param want makes it wanted */
  #open(name: FeedName, namespace: NamespaceOptions, want: (topic: HubTopic) => void): HubTopic {
    const { durable, state } = namespace;
    const topic = new HubTopic({
      topic: name,
      number: this.#nextNumber++,
      durable,
      state,
      ...(hasDocuments(namespace) && { document: this.#documentOptions(name, namespace) }),
      recent: this.recent,
      whenRoom: this.whenRoom,
    });
    want(topic);
    this.#topics.set(name, topic);
    this.#metrics.topics.set(this.#topics.size);
    if (isWholeTopic(name)) this.#health?.opened(name);
    if (durable) void this.#openDurable(topic);
    else this.#openEphemeral(topic);
    return topic;
  }

  #hasRoom(): boolean {
    return this.#topics.size < this.#config.limits.topicsPerNodeMax || this.#closeNow(this.#lingering.oldest);
  }

  /** Where keys have documents, their topic is open as long as one of them is: its bounds, and its images, are of all of them. @returns false: no room */
  #holdTopicOf(name: FeedName): boolean {
    const topic = topicOf(name) as FeedName;
    this.#lingering.remove(topic);
    const known = this.#topics.get(topic);
    if (known === undefined && !this.#hasRoom()) return false;
    known?.hold();
    this.#held.set(name, known ?? this.#open(topic, this.#namespace(topic), (whole) => whole.hold()));
    return true;
  }

  #letGo(name: FeedName): void {
    const held = this.#held.get(name);
    this.#held.delete(name);
    held?.release();
    if (held !== undefined) this.#lingerIfUnwanted(held);
  }

  removeInterest(name: FeedName, worker: HubEnd): void {
    const topic = this.#topics.get(name);
    topic?.removeWorker(worker);
    if (topic !== undefined) this.#lingerIfUnwanted(topic);
  }

  #lingerIfUnwanted(topic: HubTopic): void {
    const { topic: name } = topic;
    if (this.#topics.get(name) === topic && !topic.isWanted) this.#lingering.add(name, () => this.#close(topic));
  }

  /** The worker has stopped. */
  removeWorker(worker: HubEnd): void {
    this.#room.forget(worker);
    for (const name of this.#topics.keys()) this.removeInterest(name, worker);
  }

  async stop(): Promise<void> {
    this.#lingering.stop();
    this.#ephemeral.stop();
    this.#room.stop();
    this.#health?.stop();
    await Promise.all([...this.#feeds.values()].map((feed) => feed.stop()));
    this.#topics.clear();
  }

  #namespace(topic: FeedName): NamespaceOptions {
    // Workers do not open topics of unknown namespaces.
    return this.#config.namespaces[namespaceOf(topic)] as NamespaceOptions;
  }

  #documentOptions(name: FeedName, namespace: NamespaceOptions): DocumentOptions {
    const ofKeys = namespace.patch && keyOf(name) === undefined;
    const bounds = topicBoundsOf(namespace);
    const { keysPerTopicMax: removedMax } = this.#config.tuning.recent;
    return {
      create: (completeFrom, isKnown) =>
        ofKeys ? new HubDocuments({ bounds, removedMax, completeFrom }) : new HubDocument(bounds, completeFrom, isKnown),
      onRefused: (topic, problem) => this.#metrics.skipped('document_too_large', topic, problem),
    };
  }

  /** Why no further pattern can be opened. */
  #patternProblem(name: FeedName, { patternsMax }: NamespaceOptions): string | undefined {
    const { patternsPerNodeMax } = this.#config.limits;
    const namespace = namespaceOf(name);
    const isFull = this.#patterns.of(namespace) >= patternsMax;
    if (isFull && !this.#closeNow(this.#lingering.oldestPattern((other) => namespaceOf(other) === namespace)))
      return `this node has ${patternsMax} patterns of the namespace open`;
    const hasRoom = this.#patterns.all < patternsPerNodeMax || this.#closeNow(this.#lingering.oldestPattern(() => true));
    return hasRoom ? undefined : `this node has ${patternsPerNodeMax} patterns open`;
  }

  /** Makes room for a feed that somebody wants now: otherwise one client that comes and goes would keep all others out. @returns whether there was one */
  #closeNow(lingering: FeedName | undefined): boolean {
    const topic = lingering === undefined ? undefined : this.#topics.get(lingering);
    if (topic !== undefined) this.#close(topic);
    return topic !== undefined;
  }

  #openEphemeral(topic: HubTopic): void {
    // After `subscribed`, a client misses nothing that is published.
    void this.#ephemeral.open(topic).then((live) => {
      if (this.#topics.get(topic.topic) !== topic) return;
      if (live) topic.open({ epoch: '', offset: 0, completeFrom: 0, items: [] });
      else this.#giveUp(topic, new BusError('permission_denied', `the broker denies this node subscribing to ${topic.topic}`));
    });
  }

  async #openDurable(topic: HubTopic): Promise<void> {
    try {
      await this.#feed(namespaceOf(topic.topic)).open(topic);
    } catch (error) {
      this.#giveUp(topic, error as Error);
    }
  }

  #giveUp(topic: HubTopic, error: Error): void {
    // What the broker denies has been logged once for all topics. If too much is requested, clients cause it, and they are told.
    const level = error instanceof BusError && QUIET.has(error.code) ? 'debug' : 'warn';
    this.#logger[level]({ topic: topic.topic, err: error }, 'topic could not be opened');
    const code = openErrorOf(error);
    topic.fail({ kind: 'openFailed', topic: topic.topic, code, message: 'the topic could not be opened; try again' });
    this.#close(topic);
  }

  #feed(namespace: string): NamespaceFeed {
    const known = this.#feeds.get(namespace);
    if (known !== undefined) return known;
    const feed = new NamespaceFeed({
      name: namespace,
      log: this.#bus.log(namespace),
      config: this.#config,
      logger: this.#logger,
      busConnected: () => this.#bus.connected,
      onPublication: (publication, open) => {
        this.#metrics.publicationIn(namespace);
        if (open.named.length > 0 || open.patterns.length > 0) this.#publish(open, publication);
      },
      onOpened: (name, publishedAtMs) => {
        if (isWholeTopic(name)) this.#health?.lastPublished(name, publishedAtMs);
      },
      openingTurns: this.#openingTurns,
      onUnwanted: (topic) => this.#close(topic),
      onResync: () => this.#metrics.resyncs.inc({ topic_namespace: namespace }),
      onImage: (outcome, topic, detail) => this.#metrics.image(outcome, topic, detail),
    });
    this.#feeds.set(namespace, feed);
    return feed;
  }

  /** @param matching the feeds which the publication is for; one at least */
  #publish({ named, patterns }: Matching, publication: Publication): void {
    const namespace = this.#namespace(publication.topic);
    if (!namespace.durable) this.#metrics.publicationIn(namespaceOf(publication.topic));
    const result = toLinkItem(publication, namespace);
    if (result.kind === 'skipped') {
      this.#metrics.skipped(result.reason, publication.topic, result.detail);
      return;
    }
    this.#health?.heard(publication.topic);
    if (named.length > 0) dispatch(this.#thatTake(named, result.item, namespace), result.item);
    if (patterns.length > 0) dispatch(patterns, { ...result.item, topic: publication.topic });
  }

  /** What a topic has no room for, its key does not get either. */
  #thatTake(named: readonly HubTopic[], item: LinkItem, { patch }: NamespaceOptions): readonly HubTopic[] {
    const [whole] = named;
    return patch && named.length > 1 && whole?.refuses(item) ? [whole] : named;
  }

  #close(topic: HubTopic): void {
    const name = topic.topic;
    if (this.#topics.get(name) !== topic || topic.isWanted) return;
    this.#lingering.remove(name);
    this.#topics.delete(name);
    this.#metrics.topics.set(this.#topics.size);
    this.#ephemeral.close(topic);
    if (isWholeTopic(name)) this.#health?.closed(name);
    if (isPattern(name)) this.#patterns.change(name, -1);
    topic.close();
    this.#letGo(name);
    const feed = this.#feeds.get(namespaceOf(name));
    if (feed === undefined) return;
    feed.close(topic);
    if (feed.topicCount > 0) return;
    this.#feeds.delete(feed.name);
    void feed.stop();
  }
}

function openErrorOf(error: Error): ErrorCode {
  if (!(error instanceof BusError)) return 'internal';
  return error.code === 'bus_busy' ? 'busy' : 'unavailable';
}
