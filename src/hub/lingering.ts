import { type FeedName, isPattern } from '../protocol/feed-name.ts';

/** Time of a loop turn for closing. Clients may have left 100,000 topics at once, which takes half a second. */
const TURN_MS = 2;

interface Due {
  readonly atMs: number;
  readonly close: () => void;
}

/** The feeds that nobody wants any more: each is closed some time later, unless somebody wants it again, or its place is needed. */
export class Lingering {
  readonly #lingerMs: number;
  /** The oldest first. Patterns by themselves, because they have bounds of their own. */
  readonly #topics = new Map<FeedName, Due>();
  readonly #patterns = new Map<FeedName, Due>();
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs;
  }

  /** @param close is called when its time is over */
  add(name: FeedName, close: () => void): void {
    const alike = this.#alike(name);
    if (!alike.has(name)) alike.set(name, { atMs: performance.now() + this.#lingerMs, close });
    this.#timer ??= setTimeout(() => this.#closeDue(), this.#lingerMs);
  }

  /** It is wanted again, or closed. */
  remove(name: FeedName): void {
    this.#alike(name).delete(name);
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
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#topics.clear();
    this.#patterns.clear();
  }

  #closeDue(): void {
    const endMs = performance.now() + TURN_MS;
    for (const feeds of [this.#topics, this.#patterns]) {
      for (const [name, { atMs, close }] of feeds) {
        const nowMs = performance.now();
        if (atMs > nowMs) break;
        if (nowMs >= endMs) {
          this.#turn = setImmediate(() => this.#closeDue());
          return;
        }
        feeds.delete(name);
        close();
      }
    }
    const next = Math.min(...[this.#topics, this.#patterns].map((feeds) => firstOf(feeds)?.atMs ?? Number.POSITIVE_INFINITY));
    this.#timer = next === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => this.#closeDue(), Math.max(1, next - performance.now()));
  }

  #alike(name: FeedName): Map<FeedName, Due> {
    return isPattern(name) ? this.#patterns : this.#topics;
  }
}

function firstOf(feeds: ReadonlyMap<FeedName, Due>): Due | undefined {
  for (const due of feeds.values()) return due;
  return undefined;
}
