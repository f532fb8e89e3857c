/** Number of texts to remember. Above it all are forgotten, and may be reported again. */
const TEXTS_MAX = 200;

/** Lets each text pass once, so that what continues for hours is one line in the log. */
export class OnceEach {
  readonly #told = new Set<string>();

  isNew(text: string): boolean {
    if (this.#told.has(text)) return false;
    if (this.#told.size >= TEXTS_MAX) this.#told.clear();
    this.#told.add(text);
    return true;
  }

  /** Forgets all texts, so that they are reported again. */
  clear(): void {
    this.#told.clear();
  }
}
