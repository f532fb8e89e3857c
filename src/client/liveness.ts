/** Number of unanswered pings in a row after which the connection is dead. */
const MISSES_MAX = 2;

export interface LivenessStep {
  readonly action: 'wait' | 'ping' | 'dead';
  /** Call again at that time. */
  readonly nextAtMs: number;
}

/**
 * Checks whether the server still responds. A ping is sent every interval. If it is not answered in time, another follows immediately. If that is not answered
 * either, the connection is dead: at most one interval and two timeouts after the last received data. Anything that the server sends counts.
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

  /** Something happened to the network or the machine: ping without waiting for the next interval. */
  probe(nowMs: number): void {
    this.#nextPingAtMs = nowMs;
  }

  poll(nowMs: number): LivenessStep {
    const dueAtMs = this.#answerDueAtMs;
    if (dueAtMs === undefined) return nowMs >= this.#nextPingAtMs ? this.#ping(nowMs) : { action: 'wait', nextAtMs: this.#nextPingAtMs };
    if (nowMs < dueAtMs) return { action: 'wait', nextAtMs: dueAtMs };
    // A timer that fires this late means that this process was suspended (a throttled tab, a closed lid). The answer may not have been read yet, so it does
    // not count as missed.
    if (nowMs - dueAtMs < this.#timeoutMs && ++this.#missed >= MISSES_MAX) return { action: 'dead', nextAtMs: nowMs };
    return this.#ping(nowMs);
  }

  #ping(nowMs: number): LivenessStep {
    this.#answerDueAtMs = nowMs + this.#timeoutMs;
    this.#nextPingAtMs = nowMs + this.#intervalMs;
    return { action: 'ping', nextAtMs: this.#answerDueAtMs };
  }
}
