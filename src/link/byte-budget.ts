/** Returns what was taken. */
export type Release = () => void;

/**
 * A budget of bytes for answers under way. A large request takes its maximum before it is sent. Requests that do not fit wait in order, and the number of
 * waiting ones is bounded.
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
   * @param bytes more than the whole budget counts as all of it: it starts when nothing else is under way
   * @returns undefined if too many are already waiting
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
