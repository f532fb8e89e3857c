import type { FeedName } from '../protocol/feed-name.ts';
import type { Since } from '../recent/lives.ts';

/** The hub opens so many topics of a namespace at once. */
export const OPENINGS_MAX = 256;

/**
 * The topics of one namespace that the hub is asked to open: so many at once, and the others in turn. Otherwise a hundred connections that each want a thousand
 * new topics would put all answers into the link at once, before the publications of everybody else. What waits is bounded by the commands in flight.
 */
export class Openings {
  readonly #ask: (topic: FeedName, since: Since | undefined) => void;
  readonly #asked = new Set<FeedName>();
  /** In the order in which they were wanted. */
  readonly #waiting = new Map<FeedName, Since | undefined>();

  constructor(ask: (topic: FeedName, since: Since | undefined) => void) {
    this.#ask = ask;
  }

  want(topic: FeedName, since: Since | undefined): void {
    if (this.#asked.size >= OPENINGS_MAX) {
      this.#waiting.set(topic, since);
      return;
    }
    this.#asked.add(topic);
    this.#ask(topic, since);
  }

  /** The hub has opened it, or cannot. */
  answered(topic: FeedName): void {
    if (!this.#asked.delete(topic)) return;
    for (const [next, since] of this.#waiting) {
      this.#waiting.delete(next);
      return this.want(next, since);
    }
  }
}
