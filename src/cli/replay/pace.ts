/**
 * When each publication of a replay is due. Pure: it is given the time and says how long to wait. The first one anchors the file's clock
 * to ours, so waits never add up to drift; a file whose clock steps back is played on at once.
 */
export class Pace {
  readonly #speed: number;
  readonly #intervalMs: number;
  #anchor: { readonly fileMs: number; readonly atMs: number } | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;

  /**
   * @param speed times faster than the file's own clock; Infinity: as fast as it goes
   * @param ratePerSecondMax publications a second that the other side takes
   */
  constructor(speed: number, ratePerSecondMax: number) {
    this.#speed = speed;
    this.#intervalMs = 1000 / ratePerSecondMax;
  }

  /** How long to wait, from `nowMs`, before the next publication, whose time in the file is `fileMs`. */
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
