import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuthorizationError,
  type ConnectionOptions,
  createInbox,
  type NatsConnection,
  PermissionViolationError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { inTime } from '../../telemetry/in-time.ts';
import { BusError } from '../bus-error.ts';
import { askWhyAway, reasonOf } from './away-reason.ts';
import { connectDirectly, readDirectly } from './direct-transport.ts';
import { DEFAULT_NAMES, type NatsNames } from './names.ts';
import type { Denied } from './permissions.ts';

const FIRST_CONNECT_PAUSE_MS = 250;
/**
 * Timeout of one connection attempt. TCP sends a lost SYN again after 1, 3, 7, 15 s. So an attempt that began while the network was cut would wait for the next
 * of these long after the network is back (measured: 14 s, with the client's default of 20 s).
 */
const ATTEMPT_TIMEOUT_MS = 2500;

/** The error of a request if the connection was lost or is not there, so that its caller need not wait for the timeout. */
export class DisconnectedError extends Error {
  /** The request had already been passed to the server. */
  readonly sent: boolean;

  constructor(sent: boolean) {
    super('NATS is not connected');
    this.name = 'DisconnectedError';
    this.sent = sent;
  }
}

export interface ConnectionEvents {
  /** The reason why the server refuses the node, each time it is found. */
  onRefused(reason: string): void;
  /** The server denies the node a permission; the node stays connected. */
  onDenied(denied: Denied): void;
}

/** One NATS connection that reconnects without end. In addition to the client, it fails requests immediately that cannot be answered. */
export class Connection {
  readonly nc: NatsConnection;
  readonly names: NatsNames;
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #deniedListeners = new Set<(denied: PermissionViolationError) => void>();
  readonly #inFlight = new Set<(error: Error) => void>();
  readonly #waiters = new Set<(connected: boolean) => void>();
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #connected = true;
  #closed = false;
  #away = new AbortController();

  /** @param options that the connection was created with */
  constructor(nc: NatsConnection, options: ConnectionOptions, events: ConnectionEvents, names = DEFAULT_NAMES) {
    this.nc = nc;
    this.names = names;
    this.#options = options;
    this.#events = events;
    void this.#watch();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** A unique subject of this connection. */
  newInbox(): string {
    return createInbox(this.names.inbox);
  }

  /** Sends a request without waiting for its answer. Does nothing if the connection has ended. */
  tell(subject: string): void {
    if (!this.nc.isClosed()) this.nc.publish(subject);
  }

  onChange(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called with what the server denies. Returns a function that stops it. */
  onDenied(listener: (denied: PermissionViolationError) => void): () => void {
    this.#deniedListeners.add(listener);
    return () => this.#deniedListeners.delete(listener);
  }

  /** The request's answer, or a failure as soon as the connection is lost. @throws DisconnectedError */
  request<T>(send: () => Promise<T>): Promise<T> {
    if (!this.#connected) return Promise.reject(new DisconnectedError(false));
    // Promise.race with one long-lived promise is not used: each race would stay registered there until the connection is lost.
    return new Promise((resolve, reject) => {
      this.#inFlight.add(reject);
      send()
        .then(resolve, reject)
        .finally(() => this.#inFlight.delete(reject));
    });
  }

  /** Resolves with true when connected; with false after `timeoutMs`, or when the connection is closed permanently. */
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
    this.#away.abort();
    this.#setConnected(false);
    for (const done of [...this.#waiters]) done(false);
    await this.nc.close();
  }

  async #watch(): Promise<void> {
    for await (const status of this.nc.status()) {
      const { type } = status;
      if (type === 'disconnect' || type === 'close') this.#setConnected(false);
      else if (type === 'reconnect') {
        readDirectly(this.nc);
        this.#setConnected(true);
      } else if (type === 'error') this.#failed(status.error);
    }
    this.#setConnected(false);
  }

  #failed(error: Error): void {
    if (error instanceof PermissionViolationError) {
      this.#events.onDenied(error);
      for (const listener of [...this.#deniedListeners]) listener(error);
    } else if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError) {
      this.#events.onRefused(reasonOf(error));
    }
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected || (connected && this.#closed)) return;
    this.#connected = connected;
    this.#away.abort();
    if (!connected) {
      this.#away = new AbortController();
      if (!this.#closed)
        void askWhyAway({ ...this.#options, timeout: ATTEMPT_TIMEOUT_MS }, (reason) => this.#events.onRefused(reason), this.#away.signal);
      for (const reject of [...this.#inFlight]) reject(new DisconnectedError(true));
      this.#inFlight.clear();
    } else {
      for (const done of [...this.#waiters]) done(true);
    }
    for (const listener of [...this.#listeners]) listener(connected);
  }
}

/**
 * The first connection, retried until `timeoutMs` is over: it waits for a server that is starting, and reports a wrong address. The client's own
 * `waitOnFirstConnect` cannot be ended.
 *
 * @throws BusError `bus_unreachable`
 */
export async function connectFirst(options: ConnectionOptions, servers: string, timeoutMs: number): Promise<NatsConnection> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    try {
      return await within(leftMs, connectDirectly({ ...options, timeout: ATTEMPT_TIMEOUT_MS }));
    } catch (cause) {
      const reason = reasonOf(cause);
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

/** Closes a connection that comes too late. */
async function within(ms: number, connecting: Promise<NatsConnection>): Promise<NatsConnection> {
  try {
    return await inTime(Math.max(ms, 1), connecting, () => new Error('timeout'));
  } catch (error) {
    connecting.then(
      (late) => late.close(),
      () => undefined,
    );
    throw error;
  }
}
