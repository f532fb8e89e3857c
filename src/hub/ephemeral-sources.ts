import type { Bus } from '../bus/bus.ts';
import type { Publication } from '../bus/publication.ts';
import { type FeedName, isPattern } from '../protocol/feed-name.ts';
import { namespaceOf } from '../protocol/topic.ts';
import { EphemeralFeed } from './ephemeral-feed.ts';
import { EphemeralPatterns } from './ephemeral-patterns.ts';
import type { HubTopic } from './hub-topic.ts';

/** The sources of the open feeds of ephemeral namespaces: a subscription for each topic, and one for all patterns of a namespace. */
export class EphemeralSources {
  readonly #bus: Bus;
  readonly #topics = new Map<FeedName, EphemeralFeed>();
  /** By namespace. */
  readonly #patterns = new Map<string, EphemeralPatterns>();
  // Created once, not for each topic.
  readonly #toTopic: (topic: HubTopic, publication: Publication) => void;
  readonly #toPatterns: (patterns: readonly HubTopic[], publication: Publication) => void;

  constructor(
    bus: Bus,
    toTopic: (topic: HubTopic, publication: Publication) => void,
    toPatterns: (patterns: readonly HubTopic[], publication: Publication) => void,
  ) {
    this.#bus = bus;
    this.#toTopic = toTopic;
    this.#toPatterns = toPatterns;
  }

  /** Resolves when nothing is missed from now on; with false if the broker denies it. */
  open(topic: HubTopic): Promise<boolean> {
    if (isPattern(topic.topic)) return this.#openPattern(topic);
    const feed = new EphemeralFeed(topic, this.#bus, this.#toTopic);
    this.#topics.set(topic.topic, feed);
    return feed.live;
  }

  /** Also of a feed that has none here. */
  close(topic: HubTopic): void {
    const name = topic.topic;
    this.#topics.get(name)?.stop();
    this.#topics.delete(name);
    if (isPattern(name)) this.#closePattern(topic);
  }

  stop(): void {
    for (const feed of [...this.#topics.values(), ...this.#patterns.values()]) feed.stop();
  }

  #openPattern(topic: HubTopic): Promise<boolean> {
    const namespace = namespaceOf(topic.topic);
    const feed = this.#patterns.get(namespace) ?? new EphemeralPatterns(namespace, this.#bus, this.#toPatterns);
    this.#patterns.set(namespace, feed);
    feed.add(topic);
    return feed.live;
  }

  #closePattern(topic: HubTopic): void {
    const namespace = namespaceOf(topic.topic);
    const feed = this.#patterns.get(namespace);
    feed?.remove(topic);
    if (feed?.size !== 0) return;
    this.#patterns.delete(namespace);
    feed.stop();
  }
}
