import { type FeedName, isPattern } from '../protocol/feed-name.ts';

/** The feeds that nobody wants any more: each is closed some time later, unless somebody wants it again, or its place is needed. */
export class Lingering {
  readonly #lingerMs: number;
  /** The oldest first. Patterns by themselves, because they have bounds of their own. */
  readonly #topics = new Map<FeedName, NodeJS.Timeout>();
  readonly #patterns = new Map<FeedName, NodeJS.Timeout>();

  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs;
  }

  /** @param close is called when its time is over */
  add(name: FeedName, close: () => void): void {
    const alike = this.#alike(name);
    if (!alike.has(name)) alike.set(name, setTimeout(close, this.#lingerMs));
  }

  /** It is wanted again, or closed. */
  remove(name: FeedName): void {
    const alike = this.#alike(name);
    clearTimeout(alike.get(name));
    alike.delete(name);
  }

  /** What gives way to a feed that somebody wants now: a topic if there is one, else a pattern. */
  get oldest(): FeedName | undefined {
    const [oldest] = this.#topics.size > 0 ? this.#topics.keys() : this.#patterns.keys();
    return oldest;
  }

  oldestPattern(fits: (pattern: FeedName) => boolean): FeedName | undefined {
    for (const pattern of this.#patterns.keys()) if (fits(pattern)) return pattern;
    return undefined;
  }

  stop(): void {
    for (const timers of [this.#topics, this.#patterns]) for (const timer of timers.values()) clearTimeout(timer);
  }

  #alike(name: FeedName): Map<FeedName, NodeJS.Timeout> {
    return isPattern(name) ? this.#patterns : this.#topics;
  }
}
