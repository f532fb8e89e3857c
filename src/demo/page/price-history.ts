const BREAKS_MAX = 100;

/**
 * The prices of a stretch of time, oldest first: what a chart draws. Points lie in arrays of twice the room, so that the drawing gets views, never copies:
 * once in `pointsMax` points the newer half is moved to the front.
 */
export class PriceHistory {
  /** Stretches of which nothing is known, oldest first, BREAKS_MAX at most: a line through them would be a claim. */
  readonly breaks: (readonly [fromMs: number, toMs: number])[] = [];
  readonly #timesMs: Float64Array;
  readonly #prices: Float64Array;
  readonly #pointsMax: number;
  #length = 0;
  #broken = false;

  /** @param pointsMax so many of the latest are kept */
  constructor(pointsMax: number) {
    this.#pointsMax = pointsMax;
    this.#timesMs = new Float64Array(pointsMax * 2);
    this.#prices = new Float64Array(pointsMax * 2);
  }

  /** A time before the last one's counts as the last one's: a chart's times must rise. */
  push(timeMs: number, price: number): void {
    if (this.#length === this.#timesMs.length) {
      this.#timesMs.copyWithin(0, this.#pointsMax);
      this.#prices.copyWithin(0, this.#pointsMax);
      this.#length = this.#pointsMax;
    }
    const last = this.#length === 0 ? timeMs : (this.#timesMs[this.#length - 1] as number);
    const time = Math.max(timeMs, last);
    if (this.#broken && this.#length > 0) this.breaks.push([last, time]);
    if (this.breaks.length > BREAKS_MAX) this.breaks.shift();
    this.#broken = false;
    this.#timesMs[this.#length] = time;
    this.#prices[this.#length] = price;
    this.#length++;
  }

  /** Whatever comes next does not follow from what was there before. */
  break(): void {
    this.#broken = true;
  }

  /** The last point before `sinceMs`, so that the line comes in from the edge, and all after it. */
  since(sinceMs: number): [timesMs: Float64Array, prices: Float64Array] {
    const oldest = Math.max(0, this.#length - this.#pointsMax);
    const from = Math.max(oldest, this.#firstAt(sinceMs) - 1);
    return [this.#timesMs.subarray(from, this.#length), this.#prices.subarray(from, this.#length)];
  }

  #firstAt(timeMs: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timesMs[middle] as number) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
