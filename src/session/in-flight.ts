import type { Config } from '../config/schema.ts';

/** Unanswered commands of one connection; fields of the connection. */
export interface CommandsInFlight {
  commandsInFlight: number;
  commandBytesInFlight: number;
}

type Limits = Pick<Config['tuning']['commands'], 'commandsPerConnectionMax' | 'commandBytesPerConnectionMax' | 'commandBytesInFlightMax'>;

/**
 * Bounds the commands that the node keeps until they are answered: they wait for the log, for a responder, for a topic to be opened, or for a token to be
 * verified. A worker has its share of the node's bytes.
 */
export class InFlight {
  readonly #limits: Limits;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(limits: Limits, workers: number) {
    this.#limits = limits;
    this.#bytesMax = limits.commandBytesInFlightMax / Math.max(1, workers);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns why it must be refused with `busy`; undefined: it is counted until {@link release} */
  take(connection: CommandsInFlight, bytes: number): string | undefined {
    const { commandsPerConnectionMax, commandBytesPerConnectionMax } = this.#limits;
    if (connection.commandsInFlight >= commandsPerConnectionMax) {
      return `${commandsPerConnectionMax} commands of this connection are unanswered`;
    }
    if (connection.commandBytesInFlight + bytes > commandBytesPerConnectionMax) {
      return `the unanswered commands of this connection would exceed ${commandBytesPerConnectionMax} bytes`;
    }
    if (!this.keep(bytes)) return 'the unanswered commands of all connections have reached their limit of bytes';
    connection.commandsInFlight++;
    connection.commandBytesInFlight += bytes;
    return undefined;
  }

  release(connection: CommandsInFlight, bytes: number): void {
    connection.commandsInFlight--;
    connection.commandBytesInFlight -= bytes;
    this.forget(bytes);
  }

  /** The same for bytes that have not been read yet; the limit per connection is checked elsewhere. @returns false if there is no room for them */
  keep(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  forget(bytes: number): void {
    this.#bytes -= bytes;
  }
}
