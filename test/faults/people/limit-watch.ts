/** How long users had more open connections than they may. */
export class LimitWatch {
  readonly #max: number;
  readonly #open = new Map<string, number>();
  /** Since when, of users above the limit. */
  readonly #over = new Map<string, number>();
  #longestMs = 0;
  #paused = false;

  constructor(connectionsMax: number) {
    this.#max = connectionsMax;
  }

  opened(user: string, nowMs: number): void {
    const open = (this.#open.get(user) ?? 0) + 1;
    this.#open.set(user, open);
    if (open > this.#max && !this.#paused && !this.#over.has(user)) this.#over.set(user, nowMs);
  }

  closed(user: string, nowMs: number): void {
    const open = (this.#open.get(user) ?? 0) - 1;
    this.#open.set(user, open);
    const sinceMs = this.#over.get(user);
    if (open > this.#max || sinceMs === undefined) return;
    this.#over.delete(user);
    this.#longestMs = Math.max(this.#longestMs, nowMs - sinceMs);
  }

  /** While NATS is away the limit applies to each node. Afterwards it applies to all nodes again, from that moment on. */
  pause(paused: boolean, nowMs: number): void {
    this.#paused = paused;
    this.#over.clear();
    if (!paused) for (const [user, open] of this.#open) if (open > this.#max) this.#over.set(user, nowMs);
  }

  longestMs(nowMs: number): number {
    return Math.max(this.#longestMs, ...[...this.#over.values()].map((sinceMs) => nowMs - sinceMs));
  }
}
