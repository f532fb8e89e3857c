/**
 * Runs decisions concurrently, and their effects in the order in which the decisions began. It has no bound of its own: its callers bound the number of
 * decisions in flight.
 */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  get size(): number {
    return this.#last.size;
  }

  /** @param effect is called after the effects of all earlier decisions with the same key have started; it does not wait until they have ended */
  async run<D, E>(key: string, decision: Promise<D>, effect: (decision: D) => E): Promise<Awaited<E>> {
    const settled = decision.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    const before = this.#last.get(key);
    const turn = before === undefined ? settled : before.then(() => settled);
    this.#last.set(key, turn);
    // This call awaits the turn before the next call does, so it continues first.
    const outcome = await turn;
    if (this.#last.get(key) === turn) this.#last.delete(key);
    if ('error' in outcome) throw outcome.error;
    return await effect(outcome.value);
  }
}
