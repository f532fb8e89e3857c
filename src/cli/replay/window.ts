/** Makes a producer wait while `max` of its publications are unacknowledged. */
export class Window {
  readonly #max: number;
  #taken = 0;
  #wake: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** Waits for a free place and takes it. One caller at a time. */
  async take(): Promise<void> {
    while (this.#taken >= this.#max) await this.#change();
    this.#taken++;
  }

  release(): void {
    this.#taken--;
    this.#wake?.();
  }

  /** Waits until all places are free. */
  async drained(): Promise<void> {
    while (this.#taken > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
