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
  readonly #sockets: ListenSocket[] = [];

  constructor(uws: Uws) {
    this.#uws = uws;
  }

  /** @returns the port; undefined: it cannot be listened on */
  open(app: UwsApp, { host, port, waitingMax }: ListenOptions): number | undefined {
    // Only Linux spreads connections over the sockets that share a port.
    const count = process.platform === 'linux' ? Math.ceil(waitingMax / WAITING_PER_SOCKET) : 1;
    let opened = port;
    for (let made = 0; made < count; made++) {
      // uWS calls back before it returns.
      app.listen(host, opened, (socket) => {
        if (socket === false) return;
        this.#sockets.push(socket);
        opened = this.#uws.localPort(socket);
      });
      if (this.#sockets.length === made) break;
    }
    // Fewer than wanted still take everybody.
    return this.#sockets.length === 0 ? undefined : opened;
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) this.#uws.closeListenSocket(socket);
  }
}
