/** Whose answers gather for one write. */
export interface Gatherer {
  sendGathered(): void;
}

/**
 * Answers to arrays of commands, kept until the loop turn ends so that each connection's leave in one write: by itself, each message that is sent outside
 * uWS's own callbacks is one `send()`, at 10 µs. Whoever publishes natively calls {@link flush} first: what a topic's members are sent must not
 * overtake the `subscribed` that says where they stand.
 */
export class AnswerOutbox {
  readonly #waiting = new Set<Gatherer>();
  #armed: NodeJS.Immediate | undefined;

  /** It has answers to send. */
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
