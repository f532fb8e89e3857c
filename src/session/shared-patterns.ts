/** Above these the oldest are forgotten. What a connection has already stays with it. */
const LISTS_MAX = 1000;
const LIST_CHARS_MAX = 1024;

const NONE: readonly string[] = [];

/**
 * Lists of patterns, each kept once: tokens of one issuer mostly permit the same, and every connection keeps its lists. A list with more than 1,024 characters is
 * not kept, so all of them take about 2 MiB at most.
 */
export class SharedPatterns {
  readonly #lists = new Map<string, readonly string[]>();

  get size(): number {
    return this.#lists.size;
  }

  /** An equal list. It must not be changed. */
  of(patterns: readonly string[]): readonly string[] {
    if (patterns.length === 0) return NONE;
    // Patterns of a token may contain any character, so the name must quote them.
    const name = JSON.stringify(patterns);
    const known = this.#lists.get(name);
    if (known !== undefined) return known;
    if (name.length > LIST_CHARS_MAX) return patterns;
    this.#lists.set(name, patterns);
    if (this.#lists.size > LISTS_MAX) this.#lists.delete(this.#lists.keys().next().value as string);
    return patterns;
  }
}
