/** Gives back what was taken. */
export type Release = () => void;

/**
 * Bytes that answers may take at once. Whoever asks for something large takes as much as it may be before asking; what does not fit waits in order,
 * and of those that wait there is a bound.
 */
export class ByteBudget {
  readonly #bytesMax: number;
  readonly #waitingMax: number;
  readonly #waiting: { readonly bytes: number; readonly start: (release: Release) => void }[] = [];
  #bytes = 0;

  constructor(bytesMax: number, waitingMax: number) {
    this.#bytesMax = bytesMax;
    this.#waitingMax = waitingMax;
  }

  /** Taken now. */
  get bytes(): number {
    return this.#bytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * @param bytes more than there are at all counts as all of them: it goes when nothing else does
   * @returns undefined where too many wait already
   */
  take(bytes: number): Promise<Release> | undefined {
    const counted = Math.min(bytes, this.#bytesMax);
    if (this.#waiting.length === 0 && this.#bytes + counted <= this.#bytesMax) return Promise.resolve(this.#start(counted));
    if (this.#waiting.length >= this.#waitingMax) return undefined;
    return new Promise((start) => this.#waiting.push({ bytes: counted, start }));
  }

  #start(bytes: number): Release {
    this.#bytes += bytes;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#bytes -= bytes;
      for (let next = this.#waiting[0]; next !== undefined && this.#bytes + next.bytes <= this.#bytesMax; next = this.#waiting[0]) {
        this.#waiting.shift();
        next.start(this.#start(next.bytes));
      }
    };
  }
}
