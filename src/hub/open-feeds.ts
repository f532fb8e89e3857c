import { type FeedName, keyOf, oneKeyOf, topicOf } from '../protocol/feed-name.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { HubTopic } from './hub-topic.ts';

const NONE: readonly HubTopic[] = [];

/** The open feeds of one namespace, and which of them a publication is for. */
export class OpenFeeds {
  readonly #byName = new Map<FeedName, HubTopic>();
  /** Number of feeds that are one key of a topic: without any, keys need not be looked up. */
  #ofKeys = 0;

  get size(): number {
    return this.#byName.size;
  }

  get(name: FeedName): HubTopic | undefined {
    return this.#byName.get(name);
  }

  /** The topics that the feeds are of, each once: a filter for one key beside one for its topic would be refused. */
  wholeTopics(): Iterable<Topic> {
    return new Set(Array.from(this.#byName.keys(), (name) => topicOf(name) as Topic));
  }

  values(): Iterable<HubTopic> {
    return this.#byName.values();
  }

  add(feed: HubTopic): void {
    if (this.#byName.has(feed.topic)) return void this.#byName.set(feed.topic, feed);
    this.#byName.set(feed.topic, feed);
    if (keyOf(feed.topic) !== undefined) this.#ofKeys++;
  }

  /** Nothing happens if another feed has its name. */
  remove(feed: HubTopic): void {
    if (this.#byName.get(feed.topic) !== feed) return;
    this.#byName.delete(feed.topic);
    if (keyOf(feed.topic) !== undefined) this.#ofKeys--;
  }

  clear(): void {
    this.#byName.clear();
    this.#ofKeys = 0;
  }

  /** The feeds that a publication with this topic and key is for. */
  matching(topic: Topic, key: Key | null): readonly HubTopic[] {
    const whole = this.#byName.get(topic);
    const ofKey = this.#ofKeys > 0 && key !== null ? this.#byName.get(oneKeyOf(topic, key)) : undefined;
    if (ofKey === undefined) return whole === undefined ? NONE : [whole];
    return whole === undefined ? [ofKey] : [whole, ofKey];
  }
}
