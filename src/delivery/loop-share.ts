/**
 * How much of the past may go on the wire in one loop turn, for all connections of the worker. What is over waits its turn in order, so that a crowd that
 * comes back at once, or one client with a fast line and much to get, holds up nobody's live frames. Of each connection two parts wait at most: what it is
 * caught up with, and an answer.
 */
export class LoopShare {
  readonly #bytesPerTurn: number;
  #bytesLeft: number;
  #waiting: (() => void)[] = [];
  #armed = false;

  constructor(bytesPerTurn: number) {
    this.#bytesPerTurn = bytesPerTurn;
    this.#bytesLeft = bytesPerTurn;
  }

  /** Resolves when so much may go: in this loop turn, or a later one. */
  take(bytes: number): Promise<void> | undefined {
    this.#arm();
    if (this.#bytesLeft > 0 && this.#waiting.length === 0) {
      this.#bytesLeft -= bytes;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        this.#bytesLeft -= bytes;
        resolve();
      });
    });
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      this.#bytesLeft = this.#bytesPerTurn;
      let served = 0;
      for (; served < this.#waiting.length && this.#bytesLeft > 0; served++) this.#waiting[served]?.();
      this.#waiting.splice(0, served);
      if (this.#waiting.length > 0) this.#arm();
    });
  }
}
