import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';

interface Client {
  waiting: number;
  /** Why it may publish no longer. */
  lost: ProtocolError | undefined;
}

/**
 * The clients whose publishes wait for a hook, or to be sanitized. If one of them loses its permission meanwhile, nothing of what waits is stored. It has no bound
 * of its own: its callers bound the number of publishes in flight.
 */
export class WaitingPublishes {
  readonly #clients = new Map<string, Client>();

  /** Clients with waiting publishes. */
  get size(): number {
    return this.#clients.size;
  }

  /** @param publish calls what it is given directly before it publishes: that throws if the client has lost its permission */
  async run<T>(clientId: string, publish: (assertMay: () => void) => Promise<T>): Promise<T> {
    const client = this.#clients.get(clientId) ?? { waiting: 0, lost: undefined };
    this.#clients.set(clientId, client);
    client.waiting++;
    try {
      return await publish(() => {
        if (client.lost !== undefined) throw client.lost;
      });
    } finally {
      if (--client.waiting === 0) this.#clients.delete(clientId);
    }
  }

  /** The client may publish no longer: what waits is refused with this error. */
  withdraw(clientId: string, code: ErrorCode, message: string): void {
    const client = this.#clients.get(clientId);
    if (client !== undefined) client.lost = new ProtocolError(code, message);
  }
}
