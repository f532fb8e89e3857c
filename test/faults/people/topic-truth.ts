import type { PresenceTruth } from './settings.ts';

/** A client's clock and a node's see the same event at times that differ by up to this. */
const TOLERANCE_MS = 500;
/** A leave is reported at most so long after it has happened: a dead node, the grace time, a batch, and a loaded machine. */
const REPORTED_WITHIN_MS = 20_000;

interface There {
  connections: number;
  /** Undefined: it has a connection. */
  absentSinceMs: number | undefined;
  /** When it came back from its last absence that was as long as the grace time. */
  longAbsenceEndedAtMs: number;
}

/** Who is subscribed to one topic, as the clients themselves know it. */
export class TopicTruth {
  readonly #graceMs: number;
  readonly #users = new Map<string, There>();
  #count = 0;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  join(user: string, nowMs: number): void {
    this.#count++;
    const there = this.#users.get(user);
    if (there === undefined) {
      this.#users.set(user, { connections: 1, absentSinceMs: undefined, longAbsenceEndedAtMs: Number.NEGATIVE_INFINITY });
      return;
    }
    there.connections++;
    if (there.absentSinceMs !== undefined && nowMs - there.absentSinceMs >= this.#graceMs - TOLERANCE_MS)
      there.longAbsenceEndedAtMs = nowMs;
    there.absentSinceMs = undefined;
  }

  /** @param unsubscribed there is no grace time */
  leave(user: string, nowMs: number, unsubscribed = false): void {
    this.#count--;
    const there = this.#users.get(user) as There;
    if (--there.connections === 0) there.absentSinceMs = unsubscribed ? nowMs - this.#graceMs : nowMs;
  }

  /** True if others may now be told that the user has left. */
  mayHaveLeft(user: string, nowMs: number): boolean {
    const there = this.#users.get(user);
    if (there === undefined) return true;
    if (there.absentSinceMs !== undefined) return nowMs - there.absentSinceMs >= this.#graceMs - TOLERANCE_MS;
    return nowMs - there.longAbsenceEndedAtMs <= REPORTED_WITHIN_MS;
  }

  state(): PresenceTruth {
    const users = [...this.#users].filter(([, { connections }]) => connections > 0).map(([user]) => user);
    return { count: this.#count, users: users.sort() };
  }
}
