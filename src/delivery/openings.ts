import type { FeedName } from '../protocol/feed-name.ts';
import type { Since } from '../recent/lives.ts';
import { Lines } from '../telemetry/lines.ts';
import type { Owner } from './shares.ts';

/** A topic to be opened. */
export interface Wanted {
  readonly topic: FeedName;
  /** The position of the client that wanted it first. */
  readonly since: Since | undefined;
  /** In whose line it waits. */
  readonly owner: Owner;
}

/**
 * The topics of one namespace that the hub is asked to open: so many at once, and the others in turn, one of each owner. Otherwise a hundred connections that
 * each want a thousand new topics would put all answers into the link at once, before the publications of everybody else, and who wants one more would wait for
 * all of these. What waits is bounded by the commands in flight, and by the shares of the owners.
 */
export class Openings {
  readonly #max: number;
  readonly #ask: (wanted: Wanted) => void;
  readonly #asked = new Set<FeedName>();
  readonly #waiting = new Lines<Wanted>();

  constructor(max: number, ask: (wanted: Wanted) => void) {
    this.#max = max;
    this.#ask = ask;
  }

  want(wanted: Wanted): void {
    if (this.#asked.size < this.#max) this.#askNow(wanted);
    else this.#waiting.add(wanted.owner, wanted);
  }

  /** Nobody wants it any more. @returns false: the hub has been asked already */
  takeBack(wanted: Wanted): boolean {
    if (this.#asked.has(wanted.topic)) return false;
    this.#waiting.remove(wanted.owner, wanted);
    return true;
  }

  /** The hub has opened it, or cannot. */
  answered(topic: FeedName): void {
    if (!this.#asked.delete(topic)) return;
    const next = this.#waiting.take();
    if (next !== undefined) this.#askNow(next);
  }

  #askNow(wanted: Wanted): void {
    this.#asked.add(wanted.topic);
    this.#ask(wanted);
  }
}
