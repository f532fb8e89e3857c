export interface AwaySample {
  /** Whether the log is followed, and confirmed to be the one that clients know. */
  readonly live: boolean;
  /** Whether the bus is connected. While it is not, all clients have been told that nothing is live. */
  readonly connected: boolean;
}

/** Decides when a log has not been followed for so long that clients must be told, and when it is followed again. Pure. */
export class AwayJudge {
  readonly #graceMs: number;
  #sinceMs: number | undefined;
  #away = false;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** @returns what to tell clients now, if anything */
  look({ live, connected }: AwaySample, nowMs: number): 'away' | 'live' | undefined {
    if (live) {
      const wasAway = this.#away;
      this.#away = false;
      this.#sinceMs = undefined;
      return wasAway ? 'live' : undefined;
    }
    if (!connected) this.#sinceMs = undefined;
    else if (this.#sinceMs === undefined) this.#sinceMs = nowMs;
    else if (!this.#away && nowMs - this.#sinceMs >= this.#graceMs) {
      this.#away = true;
      return 'away';
    }
    return undefined;
  }
}
