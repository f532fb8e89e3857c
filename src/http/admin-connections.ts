import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { subscriberOf } from './subscriber.ts';

export interface AdminConnectionsOptions {
  readonly connectionsMax: number;
  /** A connection was cut because of the bound. */
  readonly onCut: () => void;
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
}

/**
 * Bounds the connections of the admin port, whoever opens them: each uses a descriptor of the hub. Above the bound, of the address with the most the one is cut
 * that has gone for the longest time without a request. So new connections are served, also those of an address that fills the port.
 */
export class AdminConnections {
  readonly #options: AdminConnectionsOptions;
  /** By the peer's address and port: with TLS a request has another socket object than its connection. */
  readonly #open = new Map<string, Connection>();
  /** Those that are idle or are sending a request, by address, oldest first. */
  readonly #waiting = new Map<string, Set<Connection>>();

  constructor(options: AdminConnectionsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#opened(socket));
  }

  /** A request of this connection has a place among those that are answered: it is not cut until it has its answer. */
  answering({ socket }: IncomingMessage, response: ServerResponse): void {
    const peer = peerOf(socket);
    const connection = this.#open.get(peer);
    if (connection === undefined) return;
    this.#remove(connection);
    response.once('close', () => {
      if (this.#open.has(peer)) this.#add(connection);
    });
  }

  #opened(socket: Socket): void {
    const peer = peerOf(socket);
    const connection = { socket, address: subscriberOf(socket.remoteAddress) };
    this.#open.set(peer, connection);
    this.#add(connection);
    socket.once('close', () => {
      this.#open.delete(peer);
      this.#remove(connection);
    });
    if (this.#open.size <= this.#options.connectionsMax) return;
    this.#options.onCut();
    this.#oldest()?.socket.destroy();
  }

  #add(connection: Connection): void {
    const waiting = this.#waiting.get(connection.address) ?? new Set();
    this.#waiting.set(connection.address, waiting.add(connection));
  }

  #remove(connection: Connection): void {
    const waiting = this.#waiting.get(connection.address);
    waiting?.delete(connection);
    if (waiting?.size === 0) this.#waiting.delete(connection.address);
  }

  #oldest(): Connection | undefined {
    let most: ReadonlySet<Connection> = new Set();
    for (const waiting of this.#waiting.values()) if (waiting.size > most.size) most = waiting;
    return most.values().next().value;
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
