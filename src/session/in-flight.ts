import type { Config } from '../config/schema.ts';

/** Commands of one connection that are not answered yet; fields of the connection. */
export interface CommandsInFlight {
  commandsInFlight: number;
  commandBytesInFlight: number;
}

type Limits = Pick<Config['tuning']['commands'], 'commandsPerConnectionMax' | 'commandBytesPerConnectionMax' | 'commandBytesInFlightMax'>;

/**
 * Bounds what clients have asked and the node keeps until it has answered: whatever waits for the log, for a responder, for a topic to be opened, for a
 * token to be checked. A worker has its share of the node's bytes.
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
      return `${commandsPerConnectionMax} commands of this connection wait for their answers`;
    }
    if (connection.commandBytesInFlight + bytes > commandBytesPerConnectionMax) {
      return `commands of this connection that wait for their answers would have more than ${commandBytesPerConnectionMax} bytes`;
    }
    if (!this.keep(bytes)) return 'commands of all connections that wait for their answers have as many bytes as they may';
    connection.commandsInFlight++;
    connection.commandBytesInFlight += bytes;
    return undefined;
  }

  release(connection: CommandsInFlight, bytes: number): void {
    connection.commandsInFlight--;
    connection.commandBytesInFlight -= bytes;
    this.forget(bytes);
  }

  /** The same for bytes that nobody has read yet; what one connection may have of them is bounded elsewhere. @returns false: there is no room for them */
  keep(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  forget(bytes: number): void {
    this.#bytes -= bytes;
  }
}
