/** Pings in a row that may stay unanswered: with the second the connection is dead. */
const MISSES_MAX = 2;

export interface LivenessStep {
  readonly action: 'wait' | 'ping' | 'dead';
  /** Ask again then. */
  readonly nextAtMs: number;
}

/**
 * Is the server still there? A ping goes out every interval; one that nothing answers in time is followed by another at once, and when that too stays
 * unanswered the connection is dead: so at most one interval and two time-outs after the last sign of life. Whatever the server sends is such a sign.
 */
export class Liveness {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  #nextPingAtMs: number;
  #answerDueAtMs: number | undefined;
  #missed = 0;

  constructor(intervalMs: number, timeoutMs: number, nowMs: number) {
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#nextPingAtMs = nowMs;
  }

  heard(): void {
    this.#answerDueAtMs = undefined;
    this.#missed = 0;
  }

  /** Something happened to the network or the machine: do not wait for the next interval. */
  probe(nowMs: number): void {
    this.#nextPingAtMs = nowMs;
  }

  poll(nowMs: number): LivenessStep {
    const dueAtMs = this.#answerDueAtMs;
    if (dueAtMs === undefined) return nowMs >= this.#nextPingAtMs ? this.#ping(nowMs) : { action: 'wait', nextAtMs: this.#nextPingAtMs };
    if (nowMs < dueAtMs) return { action: 'wait', nextAtMs: dueAtMs };
    // So late a timer means that we ourselves slept (a throttled tab, a closed lid): the answer may lie unread, so this is no miss.
    if (nowMs - dueAtMs < this.#timeoutMs && ++this.#missed >= MISSES_MAX) return { action: 'dead', nextAtMs: nowMs };
    return this.#ping(nowMs);
  }

  #ping(nowMs: number): LivenessStep {
    this.#answerDueAtMs = nowMs + this.#timeoutMs;
    this.#nextPingAtMs = nowMs + this.#intervalMs;
    return { action: 'ping', nextAtMs: this.#answerDueAtMs };
  }
}
