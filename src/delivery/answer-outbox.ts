/** A connection whose answers are collected for one write. */
export interface Gatherer {
  sendGathered(): void;
}

/**
 * Answers to arrays of commands. They are collected until the end of the loop turn, so that those of a connection are sent in one write: outside uWS's own
 * callbacks each message costs one `send()` of 10 µs. Before a native publish, {@link flush} must be called: what a topic's members are sent must not arrive
 * before the `subscribed` with their position.
 */
export class AnswerOutbox {
  readonly #waiting = new Set<Gatherer>();
  #armed: NodeJS.Immediate | undefined;

  /** The connection has answers to send. */
  add(gatherer: Gatherer): void {
    this.#waiting.add(gatherer);
    this.#armed ??= setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#armed === undefined) return;
    clearImmediate(this.#armed);
    this.#armed = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const gatherer of waiting) gatherer.sendGathered();
  }
}
