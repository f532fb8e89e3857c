/** A connection whose answers are collected for one write. */
export interface Gatherer {
  /** More answers are about to come, in this loop turn or the next: they are sent together. */
  readonly holdsAnswers: boolean;
  sendGathered(): void;
}

/**
 * Answers to arrays of commands. They are collected until the end of the loop turn, or of the array if it takes several, so that those of a connection are sent in
 * one write: outside uWS's own callbacks each message costs one `send()` of 10 µs. Before a native publish, {@link flush} must be called: what a topic's members are
 * sent must not arrive before the `subscribed` with their position.
 */
export class AnswerOutbox {
  readonly #waiting = new Set<Gatherer>();
  #armed: NodeJS.Immediate | undefined;

  /** The connection has answers to send. */
  add(gatherer: Gatherer): void {
    this.#waiting.add(gatherer);
    this.#arm();
  }

  flush(): void {
    if (this.#waiting.size === 0) return;
    clearImmediate(this.#armed);
    this.#armed = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const gatherer of waiting) gatherer.sendGathered();
  }

  #arm(): void {
    this.#armed ??= setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#armed = undefined;
    for (const gatherer of [...this.#waiting]) {
      if (gatherer.holdsAnswers) continue;
      this.#waiting.delete(gatherer);
      gatherer.sendGathered();
    }
    if (this.#waiting.size > 0) this.#arm();
  }
}
