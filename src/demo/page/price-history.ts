const BREAKS_MAX = 100;

/**
 * The prices of an interval, oldest first, as a chart draws them. The arrays have twice the needed size, so that drawing uses views instead of copies: once
 * every `pointsMax` points the newer half is moved to the front.
 */
export class PriceHistory {
  /** Intervals without data, oldest first, at most BREAKS_MAX. The chart draws no line through them. */
  readonly breaks: (readonly [fromMs: number, toMs: number])[] = [];
  readonly #timesMs: Float64Array;
  readonly #prices: Float64Array;
  readonly #pointsMax: number;
  #length = 0;
  #broken = false;

  /** @param pointsMax number of latest points to keep */
  constructor(pointsMax: number) {
    this.#pointsMax = pointsMax;
    this.#timesMs = new Float64Array(pointsMax * 2);
    this.#prices = new Float64Array(pointsMax * 2);
  }

  /** A time before the last one counts as the last one, because the times of a chart must rise. */
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

  /** Marks a break: the next point does not continue the previous ones. */
  break(): void {
    this.#broken = true;
  }

  /** The last point before `sinceMs`, so that the line starts at the edge, and all points after it. */
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
