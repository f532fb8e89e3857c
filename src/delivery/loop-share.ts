/**
 * Limits how much of the past is sent in one loop turn, for all connections of the worker. What exceeds it waits its turn in order. So many clients that
 * reconnect at the same time, or one client with a fast connection and much to receive, do not delay live frames. A connection has at most two waiting parts:
 * one of its catching up, and one of an answer.
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

  /** Resolves when this many bytes may be sent: in this loop turn, or a later one. */
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
