import type { Bus, Listener, TopicReceiver } from '../bus/bus.ts';
import type { Publication } from '../bus/publication.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { DENIED_REASON } from './ephemeral-feed.ts';
import type { HubTopic } from './hub-topic.ts';
import { PatternTrie } from './pattern-trie.ts';

/** The source of all open patterns of one ephemeral namespace: one subscription to the namespace, so that a publication comes once, however many it is for. */
export class EphemeralPatterns implements TopicReceiver {
  readonly #feeds = new PatternTrie<HubTopic>();
  readonly #publish: (feeds: readonly HubTopic[], publication: Publication) => void;
  readonly #listener: Listener;
  /** The broker denies now what it had permitted. */
  #denied = false;

  constructor(namespace: string, bus: Pick<Bus, 'listen'>, publish: (feeds: readonly HubTopic[], publication: Publication) => void) {
    this.#publish = publish;
    this.#listener = bus.listen(`${namespace}.>` as FeedName, this);
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** Resolves when nothing is missed from now on; with false if the broker denies it. */
  get live(): Promise<boolean> {
    return this.#listener.live.then((live) => live && !this.#denied);
  }

  add(feed: HubTopic): void {
    this.#feeds.add(feed.topic, feed);
  }

  remove(feed: HubTopic): void {
    this.#feeds.remove(feed.topic, feed);
  }

  onPublication(publication: Publication): void {
    const feeds = this.#feeds.matching(publication.topic);
    if (feeds.length > 0) this.#publish(feeds, publication);
  }

  onDenied(denied: boolean): void {
    this.#denied = denied;
    for (const feed of this.#feeds.values()) feed.setAway(denied ? DENIED_REASON : null);
  }

  stop(): void {
    this.#listener.stop();
  }
}
