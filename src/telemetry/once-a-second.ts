import type { Logger } from './log.ts';

const INTERVAL_MS = 1000;

/** Warns of something that may happen very often: at most one line a second, which says how often it has happened since the last one. */
export class OnceASecond {
  readonly #logger: Logger;
  readonly #message: string;
  #lastAtMs = 0;
  #count = 0;

  constructor(logger: Logger, message: string) {
    this.#logger = logger;
    this.#message = message;
  }

  warn(fields: object): void {
    this.#count++;
    const nowMs = Date.now();
    if (nowMs - this.#lastAtMs < INTERVAL_MS) return;
    this.#logger.warn({ ...fields, count: this.#count }, this.#message);
    this.#lastAtMs = nowMs;
    this.#count = 0;
  }
}
