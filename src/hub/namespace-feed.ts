import { setTimeout as sleep } from 'node:timers/promises';
import { BusError } from '../bus/bus-error.ts';
import type { Interest, Log, LogState } from '../bus/log.ts';
import type { Publication } from '../bus/publication.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import { type FeedName, isPattern, keyOf, topicOf } from '../protocol/feed-name.ts';
import type { Topic } from '../protocol/topic.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Turns } from '../telemetry/turns.ts';
import { AwayJudge } from './away-judge.ts';
import { DocumentReader } from './documents/document-reader.ts';
import { DocumentsReader } from './documents/documents-reader.ts';
import { type ImagedTopic, type ImageOutcome, ImageWriter } from './documents/image-writer.ts';
import { DOCUMENT_KNOWN, type HubTopic, type OpenState } from './hub-topic.ts';
import { inTurns } from './in-turns.ts';
import { LogFollower, RETRY_PAUSE_MAX_MS } from './log-follower.ts';
import { type Matching, OpenFeeds } from './open-feeds.ts';
import { type Opening, Openings } from './openings.ts';
import { readLastStates, readTopicState, type StateSources } from './topic-state.ts';

export interface NamespaceFeedOptions {
  readonly name: string;
  readonly log: Log;
  readonly config: Config;
  readonly logger: Logger;
  readonly busConnected: () => boolean;
  /** Called for each publication that NATS sends: of the whole namespace, or of the topics that are asked for by name. */
  readonly onPublication: (publication: Publication, feeds: Matching) => void;
  /** A topic, or a part of it, was opened whose last publication was stored at this time. */
  readonly onOpened: (topic: FeedName, publishedAtMs: number) => void;
  /** Those of all namespaces: the time of a loop turn in which topics are opened. */
  readonly openingTurns: Turns;
  /** When its turn to be opened came, the topic had no subscribers left. The next subscriber opens it again. */
  readonly onUnwanted: (topic: HubTopic) => void;
  /** The clients of a topic are told to resync. */
  readonly onResync: () => void;
  /** Something happened with the image of a document. */
  readonly onImage: (outcome: ImageOutcome, topic: FeedName, detail?: string) => void;
}

/** Number of topics whose state is read at the same time when all of them are reset. */
const RESYNCS_MAX = 8;
/** How long a subscribe waits for a log that is about to be available again. */
const READY_TIMEOUT_MS = 2000;
const LOOK_EVERY_MS = 250;
const AWAY_REASON = 'the log cannot be followed now: publications in the meantime are delivered later';

/** The source of the open topics of one durable namespace: a follower of its log, and the log itself for earlier publications. */
export class NamespaceFeed {
  readonly name: string;
  readonly log: Log;
  readonly #options: NamespaceFeedOptions;
  readonly #namespace: NamespaceOptions;
  readonly #follower: LogFollower;
  readonly #topics = new OpenFeeds();
  readonly #openings: Openings;
  readonly #sources: StateSources;
  /** Topics whose document may have become known by an image. */
  readonly #trying = new Set<Topic>();
  readonly #tryAgain = new Set<Topic>();
  /** Undefined: its topics have no documents. */
  readonly #images: ImageWriter | undefined;
  readonly #looks: NodeJS.Timeout;
  /** Publications of open topics, also of those of which only some keys are open. */
  #received = 0;

  constructor(options: NamespaceFeedOptions) {
    const { name, log, config, logger, onPublication } = options;
    this.#options = options;
    this.name = name;
    this.log = log;
    this.#namespace = config.namespaces[name] as NamespaceOptions;
    this.#follower = new LogFollower(
      {
        log,
        interest: this.#interest(),
        logger,
        watchdogIntervalMs: config.tuning.hub.watchdogIntervalMs,
        readyTimeoutMs: Math.min(READY_TIMEOUT_MS, config.tuning.nats.requestTimeoutMs),
        retryPauseMs: config.tuning.hub.retryPauseMs,
      },
      {
        onPublication: (publication) => {
          const feeds = this.#topics.matching(publication.topic, publication.key);
          if (feeds.named.length > 0 || feeds.patterns.length > 0 || this.#topics.hasKeysOf(publication.topic)) this.#received++;
          onPublication(publication, feeds);
        },
        onBroken: () => {
          for (const topic of this.#topics.values()) topic.startBuffering();
        },
        onRestarted: (reason) => void this.#resyncAll(reason),
      },
    );
    const reading = {
      waitingMax: config.tuning.nats.readsWaitingMax,
      removedMax: config.tuning.recent.keysPerTopicMax,
      onOtherBounds: (topic: Topic, detail: string) => options.onImage('other_bounds', topic, detail),
    };
    this.#sources = {
      log,
      follower: this.#follower,
      namespace: this.#namespace,
      keysMax: config.tuning.recent.keysPerTopicMax,
      document: new DocumentReader(reading),
      documents: new DocumentsReader(reading),
    };
    this.#images = this.#imageWriter();
    this.#openings = new Openings({
      atOnceMax: config.tuning.hub.topicOpeningsMax,
      waitingMax: config.tuning.nats.readsWaitingMax,
      retryPauseMs: config.tuning.hub.retryPauseMs,
      ready: () => this.ready(),
      open: ({ topic, life }) => this.#openWith(topic, life),
      openTogether: (openings) => this.#openTogether(openings),
      canShare: ({ topic }) => this.#namespace.state === 'last' && !isPattern(topic),
      onUnwanted: options.onUnwanted,
    });
    // A follower that is about to resume is not reported yet, and subscribers wait for it.
    const judge = new AwayJudge(READY_TIMEOUT_MS + config.tuning.nats.awayGraceMs);
    this.#looks = setInterval(() => this.#look(judge), LOOK_EVERY_MS);
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  /** The epoch of the log that is followed. */
  get epoch(): string {
    return this.#follower.epoch;
  }

  get position(): number {
    return this.#follower.position;
  }

  /** Changes when following the log was interrupted; undefined: it is not followed now. */
  get hearing(): string | undefined {
    return this.#follower.hearing;
  }

  /** Topics that are asked for by name; undefined: the whole namespace is followed. */
  get filteredTopics(): number | undefined {
    return this.#follower.filteredTopics;
  }

  lag(): Promise<number | undefined> {
    return this.#follower.lag();
  }

  /** Resolves when the log can be followed and read, and is confirmed to be the one that {@link epoch} names. @throws BusError */
  ready(): Promise<void> {
    return this.#follower.ready();
  }

  /** The current state of the log. @throws BusError */
  end(): Promise<LogState> {
    return this.#follower.end();
  }

  reach(offset: number, timeoutMs: number): Promise<boolean> {
    return this.#follower.reach(offset, timeoutMs);
  }

  /** Opens a new topic in its turn, unless it has no subscribers left by then. @throws BusError */
  open(topic: HubTopic): Promise<void> {
    this.#topics.add(topic);
    const life = topic.startBuffering();
    return this.#openings.open(topic, life);
  }

  close(topic: HubTopic): void {
    if (this.#topics.get(topic.topic) !== topic) return;
    this.#topics.remove(topic);
    this.#images?.closed(topic as HubTopic & ImagedTopic);
  }

  async stop(): Promise<void> {
    clearInterval(this.#looks);
    await this.#images?.stop();
    this.#topics.clear();
    await this.#follower.stop();
  }

  /** Tells the clients of the topics when their log is not followed, and when it is followed again. */
  #look(judge: AwayJudge): void {
    const told = judge.look({ live: this.#follower.live, connected: this.#options.busConnected() }, performance.now());
    if (told === undefined) return;
    for (const topic of this.#topics.values()) topic.setAway(told === 'away' ? AWAY_REASON : null);
  }

  #interest(): Interest {
    const feed = this;
    return {
      get topicCount() {
        return feed.#topics.topicCount;
      },
      get received() {
        return feed.#received;
      },
      topics: () => this.#topics.wholeTopics(),
    };
  }

  async #openWith(topic: HubTopic, life: number, resyncReason?: string): Promise<void> {
    // What is not delivered must be in the state that is read.
    await this.#follower.cover([topicOf(topic.topic) as Topic]);
    for (;;) {
      const state = await this.#stateOf(topic.topic);
      if (this.#take(topic, life, state, resyncReason)) return;
    }
  }

  /** @returns those whose state is too old to open them with */
  async #openTogether(openings: readonly Opening[]): Promise<readonly Opening[]> {
    const names = openings.map(({ topic }) => topic.topic);
    await this.#follower.cover([...new Set(names.map((name) => topicOf(name) as Topic))]);
    const stateOf = await readLastStates(names, this.#sources);
    const again: Opening[] = [];
    for (const [index, opening] of openings.entries()) {
      const { topic, life } = opening;
      if (!(await this.#options.openingTurns.run(async () => this.#take(topic, life, stateOf(index))))) again.push(opening);
    }
    return again;
  }

  /** @returns false: it is too old, and must be read again */
  #take(topic: HubTopic, life: number, state: OpenState, resyncReason?: string): boolean {
    if (!topic.isBuffering(life) || this.#topics.get(topic.topic) !== topic) return true;
    if (topic.takeOverflow()) {
      this.#options.logger.warn({ topic: topic.topic }, 'too many publications arrived while a topic was opened; reading its state again');
      return false;
    }
    const last = state.items.at(-1);
    if (last !== undefined) this.#options.onOpened(topic.topic, last.publishedAtMs);
    topic.open(state, resyncReason);
    if (keyOf(topic.topic) === undefined) this.#images?.opened(topic as HubTopic & ImagedTopic, state.image);
    return true;
  }

  /** @throws BusError */
  async #stateOf(name: FeedName): Promise<OpenState> {
    const key = keyOf(name);
    if (key === undefined || !this.#namespace.patch) return readTopicState(name, this.#sources);
    // What the topic as a whole has no room for, no key of it has.
    const whole = this.#topics.get(topicOf(name) as Topic);
    if (!(await whole?.whenOpen())) throw new BusError('bus_unreachable', `${topicOf(name)} could not be opened`);
    return (whole as HubTopic).stateOfKey(key);
  }

  #imageWriter(): ImageWriter | undefined {
    const { log, config, onImage } = this.#options;
    if (log.images === undefined) return undefined;
    return new ImageWriter({
      images: log.images,
      namespace: this.#namespace,
      intervalMs: config.tuning.hub.imageIntervalMs,
      following: () => (this.#follower.live ? this.#follower : undefined),
      logState: () => this.#follower.end(),
      onHelp: (topic) => void this.#tryImage(topic),
      onOutcome: onImage,
      nowMs: Date.now,
    });
  }

  /** Clients have these topics already. So a topic that cannot be read now is retried, not given up. */
  async #resyncAll(reason: string): Promise<void> {
    const buffering = [...this.#topics.values()].map((topic) => ({ topic, life: topic.startBuffering() }));
    await inTurns(buffering, RESYNCS_MAX, ({ topic, life }) => this.#resync(topic, life, reason));
  }

  async #resync(topic: HubTopic, life: number, reason: string): Promise<void> {
    for (let attempt = 0; topic.isBuffering(life) && this.#topics.get(topic.topic) === topic; attempt++) {
      try {
        await this.ready();
        await this.#openWith(topic, life, reason);
        this.#options.onResync();
      } catch (error) {
        this.#options.logger.debug({ topic: topic.topic, err: error, attempt }, 'a topic cannot be resynced now; retrying');
        await sleep(Math.min(this.#options.config.tuning.hub.retryPauseMs * 2 ** attempt, RETRY_PAUSE_MAX_MS));
      }
    }
  }

  /** Those of its keys whose document was not known. */
  async #resyncKeysOf(name: Topic): Promise<void> {
    for (const topic of [...this.#topics.values()]) {
      const isUnknown = topic.isOpen && topic.document?.isKnown === false && topicOf(topic.topic) === name && topic.topic !== name;
      if (isUnknown) await this.#resync(topic, topic.startBuffering(), DOCUMENT_KNOWN);
    }
  }

  /** Another node has stored an image of a document that is not known here: if it proves the document, clients are given it. */
  async #tryImage(name: Topic): Promise<void> {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    if (this.#trying.has(name)) return void this.#tryAgain.add(name);
    this.#trying.add(name);
    try {
      const { unavailable } = await readTopicState(name, this.#sources);
      // Meanwhile a whole document may have come.
      const isStillUnknown = this.#topics.get(name) === topic && topic.isOpen && topic.document?.isKnown === false;
      if (!unavailable && isStillUnknown) await this.#resync(topic, topic.startBuffering(), DOCUMENT_KNOWN);
      if (!unavailable) await this.#resyncKeysOf(name);
    } catch (error) {
      // It is tried again with the next image.
      this.#options.logger.debug({ topic: name, err: error }, 'the image of a document cannot be read now');
    } finally {
      this.#trying.delete(name);
      // Another image has come, perhaps after this one was read.
      if (this.#tryAgain.delete(name)) void this.#tryImage(name);
    }
  }
}
