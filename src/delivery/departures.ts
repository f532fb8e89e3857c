import { TurnTime } from '../telemetry/turn-time.ts';

/** Time of a loop turn for closed connections. A thousand topics of one take 5 ms, and a hundred connections may close at once. */
const TURN_MS = 2;

/** So many steps are done at once. Most connections have fewer topics. */
const STEPS_AT_ONCE = 16;

/** What is to be done for a connection that has closed, one topic a step. */
export type Departure = Iterator<unknown>;

/**
 * Connections that have closed, and leave their topics: at once where the loop turn has time for it, else in later turns, one after the other. How many wait is
 * bounded by the connections that the worker may have: each has its place until then.
 */
export class Departures {
  readonly #time: TurnTime;
  readonly #waiting = new Set<Departure>();

  constructor(nowMs?: () => number) {
    this.#time = new TurnTime({ turnMs: TURN_MS, nowMs, isWaiting: () => this.#waiting.size > 0, next: () => this.#goOn() });
  }

  add(departure: Departure): void {
    this.#time.arm();
    this.#waiting.add(departure);
    if (this.#waiting.size === 1 && this.#time.isLeft) this.#goOn();
  }

  stop(): void {
    this.#time.stop();
    this.#waiting.clear();
  }

  #goOn(): void {
    const [first] = this.#waiting as Iterable<Departure>;
    if (first !== undefined) this.#time.spend(() => !this.#isDone(first));
  }

  #isDone(departure: Departure): boolean {
    for (let step = 0; step < STEPS_AT_ONCE; step++) {
      if (departure.next().done !== true) continue;
      this.#waiting.delete(departure);
      return true;
    }
    return false;
  }
}
