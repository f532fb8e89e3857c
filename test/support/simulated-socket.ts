import type { ClientSocket } from '../../src/transport/transport.ts';

export interface SimulatedSocketOptions {
  /** Null: the peer reads everything at once. Else bytes that wait before native publish drops what it is to send. */
  readonly backpressureBytesMax: number | null;
  readonly deliver: (frame: Uint8Array) => void;
  readonly onDropped: () => void;
  readonly onDrain: () => void;
  readonly onClosed: () => void;
}

/** The shards of a simulated transport, and who has joined them. */
export type SimulatedShards = Map<string, Set<SimulatedSocket>>;

/** A WebSocket as uWebSockets makes them, whose peer reads when it is told to. */
export class SimulatedSocket implements ClientSocket {
  readonly isNative = true;
  readonly #options: SimulatedSocketOptions;
  readonly #shards: SimulatedShards;
  #queue: Uint8Array[] = [];
  #bufferedBytes = 0;
  #isOpen = true;

  constructor(shards: SimulatedShards, options: SimulatedSocketOptions) {
    this.#shards = shards;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** As uWebSockets: what a full socket is sent is dropped, and reported. */
  send(frame: Uint8Array): boolean {
    if (!this.#isOpen) return false;
    if (this.#options.backpressureBytesMax === null) {
      this.#options.deliver(frame);
      return true;
    }
    if (this.#bufferedBytes > this.#options.backpressureBytesMax) {
      this.#options.onDropped();
      return false;
    }
    this.#queue.push(frame);
    this.#bufferedBytes += frame.length;
    return true;
  }

  cork(work: () => void): void {
    if (this.#isOpen) work();
  }

  join(shard: string): void {
    if (!this.#isOpen) return;
    const members = this.#shards.get(shard) ?? new Set();
    this.#shards.set(shard, members);
    members.add(this);
  }

  leave(shard: string): void {
    const members = this.#shards.get(shard);
    members?.delete(this);
    if (members?.size === 0) this.#shards.delete(shard);
  }

  publishToOthers(shard: string, frame: Uint8Array): void {
    for (const socket of this.#shards.get(shard) ?? []) if (socket !== this) socket.send(frame);
  }

  ping(): void {}

  end(): void {
    this.cut();
  }

  /** What waits is lost. */
  cut(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#queue = [];
    this.#bufferedBytes = 0;
    for (const shard of [...this.#shards.keys()]) this.leave(shard);
    this.#options.onClosed();
  }

  /** The peer reads so many bytes; of the last frame all. */
  read(bytes: number): void {
    if (this.#queue.length === 0) return;
    for (let left = bytes; left > 0 && this.#queue.length > 0; ) {
      const frame = this.#queue.shift() as Uint8Array;
      left -= frame.length;
      this.#bufferedBytes -= frame.length;
      this.#options.deliver(frame);
    }
    this.#options.onDrain();
  }
}
