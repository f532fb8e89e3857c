/**
 * Decisions that are taken side by side, and have their effects in the order in which they were begun. What is kept is bounded by whoever bounds the decisions
 * under way.
 */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  get size(): number {
    return this.#last.size;
  }

  /** @param effect is called after the effects of everything with the same key that began before; only its start is in order */
  async run<D, E>(key: string, decision: Promise<D>, effect: (decision: D) => E): Promise<Awaited<E>> {
    const settled = decision.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    const before = this.#last.get(key);
    const turn = before === undefined ? settled : before.then(() => settled);
    this.#last.set(key, turn);
    // Waits for the turn before the next one does, so it goes on first.
    const outcome = await turn;
    if (this.#last.get(key) === turn) this.#last.delete(key);
    if ('error' in outcome) throw outcome.error;
    return await effect(outcome.value);
  }
}
