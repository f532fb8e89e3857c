import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Link } from './link.ts';
import type { ToHub, ToWorker } from './messages.ts';
import { encodeRecord, RecordReader } from './wire.ts';
import { WritePace } from './write-pace.ts';

const READ_BYTES = 65_536;

/**
 * A link over a unix socket. Its two ends are a socket pair that is created when the worker is spawned, so there is no path to create, protect or remove.
 *
 * Records of one loop turn are written at once. While they come fast, those of several turns are; see {@link WritePace}.
 */
export class SocketLink<Out extends ToWorker | ToHub, In extends ToWorker | ToHub> implements Link<Out, In> {
  readonly #socket: Socket;
  readonly #reader = new RecordReader<In>();
  #outbox: Buffer[] = [];
  #outboxBytes = 0;
  readonly #pace: WritePace;
  #listener: ((messages: readonly In[]) => void) | undefined;
  readonly #closeListeners: ((reason: string) => void)[] = [];
  #closed = false;

  /**
   * @param socket an open socket; or a descriptor, which is read without a stream, because a stream uses a new buffer of 64 KiB for each read, and events
   * @param batchMs time between two writes while messages come fast; 0: one write per loop turn
   */
  constructor(socket: Socket | number, batchMs = 0) {
    this.#pace = new WritePace(batchMs);
    if (typeof socket === 'number') this.#socket = this.#open(socket);
    else {
      this.#socket = socket;
      socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    }
    this.#watch();
  }

  #open(fd: number): Socket {
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      // A copy, because messages are views, and may wait.
      callback: (length: number, buffer: Uint8Array) => {
        this.#receive(Buffer.from(buffer.subarray(0, length)));
        return true;
      },
    };
    // Node accepts it here too, but its types do not have it.
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = { fd, readable: true, writable: true, onread };
    return new Socket(options);
  }

  #watch(): void {
    const socket = this.#socket;
    socket.on('error', (error) => this.#closeBecause(error.message));
    socket.on('close', () => this.#closeBecause('the other end has closed'));
  }

  get queuedBytes(): number {
    return this.#outboxBytes + this.#socket.writableLength;
  }

  send(message: Out): void {
    if (this.#closed) return;
    if (this.#outbox.length === 0) this.#flushSoon();
    const record = encodeRecord(message);
    this.#outbox.push(record);
    this.#outboxBytes += record.length;
  }

  onMessages(listener: (messages: readonly In[]) => void): void {
    this.#listener = listener;
  }

  onClose(listener: (reason: string) => void): void {
    this.#closeListeners.push(listener);
  }

  close(): void {
    this.#flush();
    this.#socket.end();
    this.#closeBecause('closed');
  }

  #flushSoon(): void {
    const waitMs = this.#pace.waitMs(performance.now());
    if (waitMs === 0) setImmediate(() => this.#flush());
    else setTimeout(() => this.#flush(), waitMs);
  }

  #flush(): void {
    const records = this.#outbox;
    if (records.length === 0 || this.#closed) return;
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#pace.wrote(performance.now(), records.length);
    const [first] = records;
    this.#socket.write(records.length === 1 && first !== undefined ? first : Buffer.concat(records));
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    let messages: In[];
    try {
      messages = this.#reader.push(chunk);
    } catch (error) {
      this.#socket.destroy();
      this.#closeBecause((error as Error).message);
      return;
    }
    if (messages.length > 0) this.#listener?.(messages);
  }

  #closeBecause(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#closeListeners) listener(reason);
  }
}
