import { setTimeout as sleep } from 'node:timers/promises';
import { AuthorizationError, type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { BusError } from '../bus.ts';

const FIRST_CONNECT_PAUSE_MS = 250;

/** What a request fails with when the connection was lost, or is not there: its caller need not wait for the timeout. */
export class DisconnectedError extends Error {
  /** The request had been handed to the server. */
  readonly sent: boolean;

  constructor(sent: boolean) {
    super('NATS is not connected');
    this.name = 'DisconnectedError';
    this.sent = sent;
  }
}

/** One NATS connection that reconnects for ever, with what the client leaves out: knowing at once that a request cannot be answered. */
export class Connection {
  readonly nc: NatsConnection;
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #inFlight = new Set<(error: Error) => void>();
  readonly #waiters = new Set<(connected: boolean) => void>();
  #connected = true;
  #closed = false;

  constructor(nc: NatsConnection) {
    this.nc = nc;
    void this.#watch();
  }

  get connected(): boolean {
    return this.#connected;
  }

  onChange(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The request's answer, or a failure as soon as the connection is lost. @throws DisconnectedError */
  request<T>(send: () => Promise<T>): Promise<T> {
    if (!this.#connected) return Promise.reject(new DisconnectedError(false));
    // Not Promise.race with one long-lived promise: each race would stay registered there until the connection is lost.
    return new Promise((resolve, reject) => {
      this.#inFlight.add(reject);
      send()
        .then(resolve, reject)
        .finally(() => this.#inFlight.delete(reject));
    });
  }

  /** Resolves with true when connected; with false after `timeoutMs`, or when the connection is closed for good. */
  whenConnected(timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (this.#connected || this.#closed) return Promise.resolve(this.#connected);
    return new Promise((resolve) => {
      const done = (connected: boolean) => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve(connected);
      };
      const timer = Number.isFinite(timeoutMs) ? setTimeout(() => done(false), timeoutMs) : undefined;
      this.#waiters.add(done);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#setConnected(false);
    for (const done of [...this.#waiters]) done(false);
    await this.nc.close();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.nc.status()) {
      if (type === 'disconnect' || type === 'close') this.#setConnected(false);
      else if (type === 'reconnect') this.#setConnected(true);
    }
    this.#setConnected(false);
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected || (connected && this.#closed)) return;
    this.#connected = connected;
    if (!connected) {
      for (const reject of [...this.#inFlight]) reject(new DisconnectedError(true));
      this.#inFlight.clear();
    } else {
      for (const done of [...this.#waiters]) done(true);
    }
    for (const listener of [...this.#listeners]) listener(connected);
  }
}

/**
 * The first connection, tried until `timeoutMs` is over: a server that is starting is waited for, a wrong address is told.
 * The client's own `waitOnFirstConnect` cannot be ended.
 *
 * @throws BusError `bus_unreachable`
 */
export async function connectFirst(options: ConnectionOptions, servers: string, timeoutMs: number): Promise<NatsConnection> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    try {
      return await connect({ ...options, timeout: Math.max(leftMs, 1) });
    } catch (cause) {
      const reason = (cause as Error | undefined)?.message ?? 'no reason given';
      if (cause instanceof AuthorizationError) {
        throw new BusError('bus_unreachable', `NATS at ${servers} refuses the login: ${reason}`, { cause });
      }
      if (deadlineMs - performance.now() <= FIRST_CONNECT_PAUSE_MS) {
        throw new BusError('bus_unreachable', `NATS at ${servers} cannot be reached (tried for ${timeoutMs} ms): ${reason}`, { cause });
      }
      await sleep(FIRST_CONNECT_PAUSE_MS);
    }
  }
}
