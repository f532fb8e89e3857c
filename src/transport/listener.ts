import type { ListenSocket, Uws, UwsApp } from './uws.ts';

/** Maximum queue length of one listening socket in uSockets. */
const WAITING_PER_SOCKET = 512;

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Connections that may wait to be accepted. */
  readonly waitingMax: number;
}

/**
 * The listening sockets. There are several on the one port, so that a reconnect storm fits into their queues: if a queue is full, the kernel drops the
 * connection, and its client retries after 1 s, then 2, then 4. Measured with 10,000 clients that reconnect to 2 workers: 9,600 drops with one socket per
 * worker, none with eight.
 */
export class Listener {
  readonly #uws: Uws;
  readonly #app: UwsApp;
  readonly #sockets: ListenSocket[] = [];
  /** True while it should listen, or waits for {@link resume}. */
  #options: ListenOptions | undefined;

  constructor(uws: Uws, app: UwsApp) {
    this.#uws = uws;
    this.#app = app;
  }

  /** @returns the port; undefined if it cannot listen there */
  open(options: ListenOptions): number | undefined {
    const port = this.#listen(options);
    this.#options = port === undefined ? undefined : { ...options, port };
    return port;
  }

  /** The kernel refuses connections in the queues, and new ones until {@link resume}; those to other workers' sockets are not affected. */
  pause(): void {
    for (const socket of this.#sockets.splice(0)) this.#uws.closeListenSocket(socket);
  }

  /** @returns false if it failed, for example without free descriptors */
  resume(): boolean {
    if (this.#options === undefined || this.#sockets.length > 0) return true;
    return this.#listen(this.#options) !== undefined;
  }

  close(): void {
    this.#options = undefined;
    this.pause();
  }

  #listen({ host, port: wanted, waitingMax }: ListenOptions): number | undefined {
    const port = wanted === 0 ? this.#freePort(host) : wanted;
    if (port === undefined) return undefined;
    // Only Linux distributes connections over the sockets that share a port.
    const count = process.platform === 'linux' ? Math.ceil(waitingMax / WAITING_PER_SOCKET) : 1;
    // With fewer sockets than wanted, all connections are still accepted.
    for (let made = 0; made < count && this.#add(host, port); made++);
    return this.#sockets.length === 0 ? undefined : port;
  }

  /** uSockets cannot share a port that the kernel chose, so it could not listen on it again while connections to it are open. */
  #freePort(host: string): number | undefined {
    if (!this.#add(host, 0)) return undefined;
    const [socket] = this.#sockets.splice(0) as [ListenSocket];
    const port = this.#uws.localPort(socket);
    this.#uws.closeListenSocket(socket);
    return port;
  }

  #add(host: string, port: number): boolean {
    const before = this.#sockets.length;
    // uWS calls back before it returns.
    this.#app.listen(host, port, (socket) => {
      if (socket !== false) this.#sockets.push(socket);
    });
    return this.#sockets.length > before;
  }
}
