export interface SimulatedSocketOptions {
  /** Null: the peer reads everything at once. Else bytes that wait before native publish drops what it is to send. */
  readonly backpressureBytesMax: number | null;
  readonly deliver: (frame: Uint8Array) => void;
  readonly onDropped: () => void;
  readonly onDrain: () => void;
  readonly onSubscribed: (nativeTopic: string, subscribed: boolean) => void;
}

/** A uWebSockets socket as far as a worker's parts use it, whose peer reads when it is told to. */
export class SimulatedSocket {
  readonly #options: SimulatedSocketOptions;
  #queue: Uint8Array[] = [];
  #bufferedBytes = 0;
  #ended = false;

  constructor(options: SimulatedSocketOptions) {
    this.#options = options;
  }

  /** As uWebSockets: what a full socket is sent is dropped, and reported. @returns 2: dropped; 1: all is well */
  send(frame: Uint8Array): number {
    if (this.#options.backpressureBytesMax === null) {
      this.#options.deliver(frame);
      return 1;
    }
    if (this.#bufferedBytes > this.#options.backpressureBytesMax) {
      this.#options.onDropped();
      return 2;
    }
    this.#queue.push(frame);
    this.#bufferedBytes += frame.length;
    return 1;
  }

  getBufferedAmount(): number {
    return this.#bufferedBytes;
  }

  subscribe(nativeTopic: string): void {
    this.#options.onSubscribed(nativeTopic, true);
  }

  unsubscribe(nativeTopic: string): void {
    this.#options.onSubscribed(nativeTopic, false);
  }

  cork(work: () => void): void {
    work();
  }

  end(): void {
    this.#ended = true;
  }

  /** What native publish does with a frame of a topic that it is subscribed to. */
  published(frame: Uint8Array): void {
    this.send(frame);
  }

  /** The peer reads so many bytes; of the last frame all. */
  read(bytes: number): void {
    if (this.#queue.length === 0 || this.#ended) return;
    for (let left = bytes; left > 0 && this.#queue.length > 0; ) {
      const frame = this.#queue.shift() as Uint8Array;
      left -= frame.length;
      this.#bufferedBytes -= frame.length;
      this.#options.deliver(frame);
    }
    this.#options.onDrain();
  }

  /** It has closed: what waits is lost. */
  drop(): void {
    this.#ended = true;
    this.#queue = [];
  }
}
