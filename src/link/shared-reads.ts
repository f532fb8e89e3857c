import type { FeedName } from '../protocol/feed-name.ts';

interface TopicReads<A> {
  running: { readonly after: number; readonly answer: Promise<A> } | undefined;
  waiting: { after: number; readonly answer: Promise<A> } | undefined;
}

/**
 * Shares reads of everything after a position, which many clients request at the same time. One read per topic is under way, from the smallest requested
 * position, and all requesters get its answer. A request from further back waits for the next read, together with all others like it.
 */
export class SharedReads<A> {
  readonly #read: (topic: FeedName, after: number) => Promise<A>;
  readonly #topics = new Map<FeedName, TopicReads<A>>();

  constructor(read: (topic: FeedName, after: number) => Promise<A>) {
    this.#read = read;
  }

  ask(topic: FeedName, after: number): Promise<A> {
    const reads = this.#topics.get(topic) ?? { running: undefined, waiting: undefined };
    this.#topics.set(topic, reads);
    if (reads.running !== undefined && reads.running.after <= after) return reads.running.answer;
    if (reads.waiting !== undefined) {
      reads.waiting.after = Math.min(reads.waiting.after, after);
      return reads.waiting.answer;
    }
    // Requests of this loop turn are collected; one read follows the other.
    const before: Promise<unknown> = reads.running?.answer.catch(() => undefined) ?? new Promise<void>((resolve) => setImmediate(resolve));
    const answer = before.then(() => this.#start(topic, reads));
    reads.waiting = { after, answer };
    return answer;
  }

  async #start(topic: FeedName, reads: TopicReads<A>): Promise<A> {
    const { after, answer } = reads.waiting as { after: number; answer: Promise<A> };
    reads.waiting = undefined;
    reads.running = { after, answer };
    try {
      return await this.#read(topic, after);
    } finally {
      reads.running = undefined;
      if (reads.waiting === undefined) this.#topics.delete(topic);
    }
  }
}
