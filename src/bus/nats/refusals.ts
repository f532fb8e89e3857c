import { OnceEach } from './once-each.ts';

/** A connection that holds for so long was not one that is refused again at once. */
const HELD_MS = 10_000;

/** Why NATS does not take the node (back): each reason once, until a connection has held. */
export class Refusals {
  readonly #onNews: (reason: string) => void;
  readonly #told = new OnceEach();
  #held: NodeJS.Timeout | undefined;

  constructor(onNews: (reason: string) => void) {
    this.#onNews = onNews;
  }

  refused(reason: string): void {
    if (this.#told.isNew(reason)) this.#onNews(reason);
  }

  changed(connected: boolean): void {
    clearTimeout(this.#held);
    if (connected) this.#held = setTimeout(() => this.#told.clear(), HELD_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#held);
  }
}
