import type { Connection } from './connection.ts';

/**
 * Answers to arrays of commands, kept until the loop turn ends so that each connection's leave in one write: by itself, each message that is sent outside
 * uWS's own callbacks is one `send()`, at 10 µs. Whoever publishes natively calls {@link flush} first: what a topic's members are sent must not
 * overtake the `subscribed` that says where they stand.
 */
export class AnswerOutbox {
  readonly #waiting = new Set<Connection>();
  #armed: NodeJS.Immediate | undefined;

  /** The connection has answers to send. */
  add(connection: Connection): void {
    this.#waiting.add(connection);
    this.#armed ??= setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#armed === undefined) return;
    clearImmediate(this.#armed);
    this.#armed = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const connection of waiting) connection.sendGathered();
  }
}
