/** Texts remembered; past it they are all forgotten, and may be told again. */
const TEXTS_MAX = 200;

/** Lets each text through once, so that what goes on for hours is one line in a log. */
export class OnceEach {
  readonly #told = new Set<string>();

  isNew(text: string): boolean {
    if (this.#told.has(text)) return false;
    if (this.#told.size >= TEXTS_MAX) this.#told.clear();
    this.#told.add(text);
    return true;
  }

  /** What was told may be told again. */
  clear(): void {
    this.#told.clear();
  }
}
