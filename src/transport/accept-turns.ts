import { Lines } from '../telemetry/lines.ts';
import type { HttpResponse } from './uws.ts';

type Accepted = Pick<HttpResponse, 'pause' | 'resume'>;

interface Paused {
  readonly res: Accepted;
  /** It is read from now on. */
  readonly onTurn: () => void;
}

/**
 * Limits how many accepted connections begin to be read in one loop turn. uWebSockets accepts all that the kernel has, up to
 * `tuning.connections.connectsWaitingMax`, and libuv reports all that have sent their request, so otherwise thousands of clients that come at once are let in before
 * anything else is done. What exceeds the limit waits, paused, and is read in later turns: one connection of each address in turn.
 */
export class AcceptTurns {
  readonly #perTurnMax: number;
  readonly #paused = new Lines<Paused>();
  #begun = 0;
  #armed = false;

  constructor(perTurnMax: number) {
    this.#perTurnMax = perTurnMax;
  }

  /** @returns what to call when the connection has ended before its turn; undefined: it is its turn, and `onTurn` has been called */
  accepted(address: string, res: Accepted, onTurn: () => void): (() => void) | undefined {
    this.#arm();
    if (this.#begun < this.#perTurnMax && this.#paused.isEmpty) {
      this.#begun++;
      onTurn();
      return undefined;
    }
    const paused: Paused = { res, onTurn };
    res.pause();
    this.#paused.add(address, paused);
    return () => this.#paused.remove(address, paused);
  }

  /** A new turn begins with the next `setImmediate`, after everything that the sockets have received. */
  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      this.#begun = 0;
      while (this.#begun < this.#perTurnMax && !this.#paused.isEmpty) {
        const { res, onTurn } = this.#paused.take() as Paused;
        this.#begun++;
        onTurn();
        res.resume();
      }
      if (this.#begun > 0) this.#arm();
    });
  }
}
