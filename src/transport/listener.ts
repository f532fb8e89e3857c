import type { ListenSocket, Uws, UwsApp } from './uws.ts';

/** As many as the kernel lets wait at one listening socket: uSockets asks for so many, and cannot be asked for more. */
const WAITING_PER_SOCKET = 512;

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Connections that may wait to be accepted. */
  readonly waitingMax: number;
}

/**
 * Where clients arrive. Several sockets on the one port, so that a storm of reconnects fits in their queues: a connection that finds its queue full is
 * dropped by the kernel, and its client tries again after 1 s, then 2, then 4. Measured with 10,000 clients that come back to 2 workers: 9,600 such
 * drops with one socket a worker, none with eight.
 */
export class Listener {
  readonly #uws: Uws;
  readonly #app: UwsApp;
  readonly #sockets: ListenSocket[] = [];
  /** Set while it should listen, or wait for {@link resume}. */
  #options: ListenOptions | undefined;

  constructor(uws: Uws, app: UwsApp) {
    this.#uws = uws;
    this.#app = app;
  }

  /** @returns the port; undefined: it cannot be listened on */
  open(options: ListenOptions): number | undefined {
    const port = this.#listen(options);
    this.#options = port === undefined ? undefined : { ...options, port };
    return port;
  }

  /** What waits in the queues is refused by the kernel, as is what comes until {@link resume}; other workers' sockets take what comes to them. */
  pause(): void {
    for (const socket of this.#sockets.splice(0)) this.#uws.closeListenSocket(socket);
  }

  /** @returns false: it could not, as when there are no descriptors */
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
    // Only Linux spreads connections over the sockets that share a port.
    const count = process.platform === 'linux' ? Math.ceil(waitingMax / WAITING_PER_SOCKET) : 1;
    // Fewer than wanted still take everybody.
    for (let made = 0; made < count && this.#add(host, port); made++);
    return this.#sockets.length === 0 ? undefined : port;
  }

  /** uSockets shares no port that the kernel chose, so such a one could not be listened on again while connections to it are open. */
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
