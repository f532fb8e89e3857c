import type { ClientSocket } from './transport.ts';
import type { Socket } from './uws.ts';

/** The result of uWebSockets for a message that a full socket dropped. */
const DROPPED = 2;

/** A WebSocket of uWebSockets. Every call on a closed one throws, so nothing else keeps a reference to it. */
export class UwsSocket implements ClientSocket {
  #socket: Socket<unknown> | undefined;

  constructor(socket: Socket<unknown>) {
    this.#socket = socket;
  }

  get isNative(): boolean {
    return true;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  get bufferedBytes(): number {
    return this.#socket === undefined ? 0 : this.#socket.getBufferedAmount();
  }

  send(frame: Uint8Array, binary: boolean): boolean {
    return this.#socket !== undefined && this.#socket.send(frame, binary) !== DROPPED;
  }

  cork(work: () => void): void {
    this.#socket?.cork(work);
  }

  join(shard: string): void {
    this.#socket?.subscribe(shard);
  }

  /** uWebSockets drops what is queued for a socket that leaves its last shard. */
  leave(shard: string): void {
    this.#socket?.unsubscribe(shard);
  }

  publishToOthers(shard: string, frame: Uint8Array, binary: boolean): void {
    this.#socket?.publish(shard, frame, binary);
  }

  ping(): void {
    this.#socket?.ping();
  }

  /** From then on uWebSockets sends nothing more, and cuts the socket after 16 to 20 s (4 to 8 s if pings are frequent) if the peer does not end it. */
  end(code: number, reason: string): void {
    this.#socket?.end(code, reason);
  }

  cut(): void {
    this.#socket?.close();
  }

  /** Call when it has closed. */
  closed(): void {
    this.#socket = undefined;
  }
}
