import type { Item } from './item.ts';
import type { Topic } from './topic.ts';

/** Many topics with one listener: a watchlist. Their `subscribe` commands go to the server in one message, also after a reconnect. */
export class TopicList<T = unknown> {
  readonly topics: readonly Topic<T>[];

  constructor(topics: readonly Topic<T>[]) {
    this.topics = topics;
  }

  /**
   * Calls back with every item of every topic from now on; `item.topic` is its topic.
   * @returns a function that stops it
   * @throws InvalidError if one of the topics is subscribed with other options; then none of them is subscribed
   */
  subscribe(onItem: (item: Item<T>) => void): () => void {
    const stops: (() => void)[] = [];
    const stop = () => {
      for (const one of stops.splice(0)) one();
    };
    try {
      for (const topic of this.topics) stops.push(topic.subscribe(onItem));
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }
}
