import type { FeedName } from '../protocol/feed-name.ts';
import type { Since } from '../recent/lives.ts';
import type { Owner } from './shares.ts';

type Wanted = Map<FeedName, Since | undefined>;

/**
 * The topics of one namespace that the hub is asked to open: so many at once, and the others in turn, one of each owner. Otherwise a hundred connections that
 * each want a thousand new topics would put all answers into the link at once, before the publications of everybody else, and who wants one more would wait for
 * all of these. What waits is bounded by the commands in flight, and by the shares of the owners.
 */
export class Openings {
  readonly #max: number;
  readonly #ask: (topic: FeedName, since: Since | undefined) => void;
  readonly #asked = new Set<FeedName>();
  /** The next owner first, with its topics in the order in which they were wanted. */
  readonly #waiting = new Map<Owner, Wanted>();

  constructor(max: number, ask: (topic: FeedName, since: Since | undefined) => void) {
    this.#max = max;
    this.#ask = ask;
  }

  want(topic: FeedName, since: Since | undefined, owner: Owner): void {
    if (this.#asked.size < this.#max) return this.#askNow(topic, since);
    const wanted: Wanted = this.#waiting.get(owner) ?? new Map();
    wanted.set(topic, since);
    this.#waiting.set(owner, wanted);
  }

  /** The hub has opened it, or cannot. */
  answered(topic: FeedName): void {
    if (!this.#asked.delete(topic)) return;
    for (const [owner, wanted] of this.#waiting) {
      this.#waiting.delete(owner);
      const [next, since] = wanted.entries().next().value as [FeedName, Since | undefined];
      wanted.delete(next);
      if (wanted.size > 0) this.#waiting.set(owner, wanted);
      return this.#askNow(next, since);
    }
  }

  #askNow(topic: FeedName, since: Since | undefined): void {
    this.#asked.add(topic);
    this.#ask(topic, since);
  }
}
