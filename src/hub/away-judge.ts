export interface AwaySample {
  /** The log is followed, and sure to be the one that clients know. */
  readonly live: boolean;
  /** The bus is connected. While it is not, all clients have been told that nothing is live. */
  readonly connected: boolean;
}

/** Says when a log has not been followed for so long that clients must know, and when it is followed again. Pure. */
export class AwayJudge {
  readonly #graceMs: number;
  #sinceMs: number | undefined;
  #away = false;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** @returns what clients are to be told now, if anything */
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
