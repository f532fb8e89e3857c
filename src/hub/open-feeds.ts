import { type FeedName, isPattern, keyOf, oneKeyOf, topicOf } from '../protocol/feed-name.ts';
import type { Key, Topic } from '../protocol/topic.ts';
import type { HubTopic } from './hub-topic.ts';
import { PatternTrie } from './pattern-trie.ts';

/** The feeds that a publication is for. */
export interface Matching {
  /** The topic's own, and that of the key. */
  readonly named: readonly HubTopic[];
  /** Those of patterns: there an item says which topic it is of. */
  readonly patterns: readonly HubTopic[];
}

const NONE: readonly HubTopic[] = [];
const NOBODY: Matching = { named: NONE, patterns: NONE };

/** The open feeds of one namespace, and which of them a publication is for. */
export class OpenFeeds {
  readonly #byName = new Map<FeedName, HubTopic>();
  readonly #patterns = new PatternTrie<HubTopic>();
  /** Of topics: how many feeds are one key of it. Without any, keys need not be looked up. */
  readonly #ofKeys = new Map<string, number>();

  get size(): number {
    return this.#byName.size;
  }

  get(name: FeedName): HubTopic | undefined {
    return this.#byName.get(name);
  }

  /** How many topics are wanted at most; infinitely many where a pattern is open. */
  get topicCount(): number {
    return this.#patterns.size > 0 ? Number.POSITIVE_INFINITY : this.size;
  }

  /** Without patterns: the topics that the feeds are of, each once: a filter for one key beside one for its topic would be refused. */
  wholeTopics(): Iterable<Topic> {
    return new Set(Array.from(this.#byName.keys(), (name) => topicOf(name) as Topic));
  }

  values(): Iterable<HubTopic> {
    return this.#byName.values();
  }

  /** Replaces another one with this name. */
  add(feed: HubTopic): void {
    const { topic: name } = feed;
    const before = this.#byName.get(name);
    if (before !== undefined) this.remove(before);
    this.#byName.set(name, feed);
    if (keyOf(name) !== undefined) this.#countKey(name, 1);
    else if (isPattern(name)) this.#patterns.add(name, feed);
  }

  /** Nothing happens if another feed has its name. */
  remove(feed: HubTopic): void {
    const { topic: name } = feed;
    if (this.#byName.get(name) !== feed) return;
    this.#byName.delete(name);
    if (keyOf(name) !== undefined) this.#countKey(name, -1);
    else if (isPattern(name)) this.#patterns.remove(name, feed);
  }

  clear(): void {
    for (const feed of [...this.#byName.values()]) this.remove(feed);
  }

  /** Whether any key of the topic is open: then all of the topic is wanted, see {@link wholeTopics}. */
  hasKeysOf(topic: Topic): boolean {
    return this.#ofKeys.has(topic);
  }

  /** The feeds that a publication with this topic and key is for. */
  matching(topic: Topic, key: Key | null): Matching {
    const patterns = this.#patterns.size === 0 ? NONE : this.#patterns.matching(topic);
    const whole = this.#byName.get(topic);
    const ofKey = key !== null && this.hasKeysOf(topic) ? this.#byName.get(oneKeyOf(topic, key)) : undefined;
    if (whole === undefined && ofKey === undefined) return patterns.length === 0 ? NOBODY : { named: NONE, patterns };
    const named = whole === undefined ? [ofKey as HubTopic] : ofKey === undefined ? [whole] : [whole, ofKey];
    return { named, patterns };
  }

  #countKey(name: FeedName, change: 1 | -1): void {
    const topic = topicOf(name);
    const count = (this.#ofKeys.get(topic) ?? 0) + change;
    if (count === 0) this.#ofKeys.delete(topic);
    else this.#ofKeys.set(topic, count);
  }
}
