import { isMark, MARK, STAMP_BYTES, stampDistanceMin } from './stamp.ts';

/** Finds the stamps in a frame without decoding it. Items of a feed are alike, so it guesses where the next one is before it searches. */
export class StampScanner {
  readonly #distanceMin: number;
  /** Distance of two stamps in a frame, and of the first from the frame's start. */
  #stride = 0;
  #offset = 0;

  constructor(payloadBytes: number) {
    this.#distanceMin = stampDistanceMin(payloadBytes);
  }

  /** @param visit given where each stamp begins @returns how many there are; 0: it is not a frame of items */
  each(bytes: Buffer, start: number, end: number, visit: (at: number) => void): number {
    let at = this.#find(bytes, start + this.#offset, start, end);
    if (at < 0) return 0;
    this.#offset = at - start;
    let items = 0;
    for (;;) {
      visit(at);
      items++;
      const from = at + this.#distanceMin;
      if (from + STAMP_BYTES > end) return items;
      const next = this.#find(bytes, at + this.#stride, from, end);
      if (next < 0) return items;
      this.#stride = next - at;
      at = next;
    }
  }

  #find(bytes: Buffer, guess: number, from: number, end: number): number {
    if (guess >= from && guess + STAMP_BYTES <= end && isMark(bytes, guess)) return guess;
    const at = bytes.indexOf(MARK, from);
    return at < 0 || at + STAMP_BYTES > end ? -1 : at;
  }
}
