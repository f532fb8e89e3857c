/**
 * Computes when each publication of a replay is due. Pure: it gets the time, and returns how long to wait. The first publication sets the offset between the
 * file's clock and ours, so delays never add up. If the file's clock steps back, the next publication is due immediately.
 */
export class Pace {
  readonly #speed: number;
  readonly #intervalMs: number;
  #anchor: { readonly fileMs: number; readonly atMs: number } | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;

  /**
   * @param speed factor of the file's own clock; Infinity: as fast as possible
   * @param ratePerSecondMax publications a second that the other side accepts
   */
  constructor(speed: number, ratePerSecondMax: number) {
    this.#speed = speed;
    this.#intervalMs = 1000 / ratePerSecondMax;
  }

  /** Milliseconds to wait, from `nowMs`, before the next publication, whose time in the file is `fileMs`. */
  waitMs(fileMs: number | undefined, nowMs: number): number {
    const dueMs = Math.max(this.#dueMs(fileMs, nowMs), this.#nextMs, nowMs);
    this.#nextMs = dueMs + this.#intervalMs;
    return dueMs - nowMs;
  }

  #dueMs(fileMs: number | undefined, nowMs: number): number {
    if (fileMs === undefined || this.#speed === Number.POSITIVE_INFINITY) return nowMs;
    this.#anchor ??= { fileMs, atMs: nowMs };
    return this.#anchor.atMs + (fileMs - this.#anchor.fileMs) / this.#speed;
  }
}
