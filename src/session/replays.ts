import type { Config } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Connection } from './connection.ts';

/** A client that got `busy` need not retry earlier. */
const RETRY_AFTER_MS = 5000;

/** Bounds the replays of a worker: each holds one page of the log for as long as it takes to play it. */
export class Replays {
  readonly #limits: Pick<Config['tuning']['answers'], 'replaysPerWorkerMax' | 'replaysPerConnectionMax'>;
  readonly #running = new Map<Connection, number>();
  #count = 0;

  constructor({ tuning }: Config) {
    this.#limits = tuning.answers;
  }

  /** @returns call it when the replay has ended. @throws ProtocolError `busy` */
  begin(connection: Connection): () => void {
    const { replaysPerWorkerMax, replaysPerConnectionMax } = this.#limits;
    const ofConnection = this.#running.get(connection) ?? 0;
    if (this.#count >= replaysPerWorkerMax) throw busy(`${replaysPerWorkerMax} replays are running here already`);
    if (ofConnection >= replaysPerConnectionMax) throw busy(`${replaysPerConnectionMax} replays of this connection are running already`);
    this.#count++;
    this.#running.set(connection, ofConnection + 1);
    return () => {
      this.#count--;
      const left = (this.#running.get(connection) ?? 1) - 1;
      if (left === 0) this.#running.delete(connection);
      else this.#running.set(connection, left);
    };
  }
}

function busy(message: string): ProtocolError {
  return new ProtocolError('busy', message, { retryAfterMs: RETRY_AFTER_MS });
}
