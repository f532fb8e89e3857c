import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** How a connection is broken: with a reset, in order, or only on the server's side, so that the client is left half-open. */
export type Cut = 'reset' | 'end' | 'half';

/** One direction's bytes that wait: for their delay, or for a stall to end. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** A TCP proxy of the tests' own: it cuts, delays, stalls and slices what it carries, and leaves connections half open. */
export class TestProxy {
  /** Each chunk arrives so much later. */
  delayMs = 0;
  /** Chunks are forwarded in slices of 1 to so many bytes, each a packet of its own. 0: as they come. */
  sliceBytesMax = 0;
  /** New connections are closed at once. */
  refusing = false;
  /** True: the proxy passes nothing in either direction, and tells neither side. */
  stalled = false;
  /** What the server says is thrown away; what the client says passes. */
  swallowing = false;
  accepted = 0;
  /** Bytes from the server over all connections so far. */
  bytesDown = 0;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** Of what the server says. */
  #downBytesLeft = Number.POSITIVE_INFINITY;
  /** What has come and may not pass yet. */
  #held: (() => void)[] = [];
  #targetPort: number;
  #cutNext: { readonly atBytes: number; readonly how: Cut; done(): void } | undefined;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', (client) => this.#accept(client));
  }

  static async start(targetPort: number): Promise<TestProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TestProxy(server, targetPort);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that pass something. */
  get open(): number {
    return [...this.#pairs].filter((pair) => !pair.isCut).length;
  }

  /** Where new connections go to. */
  target(port: number): void {
    this.#targetPort = port;
  }

  /** Breaks every connection. @returns how many */
  cut(how: Cut = 'reset'): number {
    const { open } = this;
    for (const pair of [...this.#pairs]) pair.cut(how);
    return open;
  }

  /** Breaks the connection that gets this many more bytes from the server, possibly in the middle of a frame. @returns resolves with 1 afterwards */
  cutAfter(bytes: number, how: Cut): Promise<1> {
    return new Promise((resolve) => {
      this.#cutNext = { atBytes: this.bytesDown + bytes, how, done: () => resolve(1) };
    });
  }

  /** A slow line, in the test's hand: of what the server says, nothing passes but what {@link allow} lets through. The rest waits at the server. */
  hold(): void {
    this.#downBytesLeft = 0;
  }

  /** Lets so many more bytes of the server pass. */
  allow(bytes: number): void {
    this.#downBytesLeft += bytes;
    for (const goOn of this.#held.splice(0)) goOn();
  }

  /** Lets everything pass again, as it is, and forgets a cut that has not come. */
  reset(): void {
    this.#cutNext = undefined;
    this.delayMs = this.sliceBytesMax = 0;
    this.refusing = this.stalled = this.swallowing = false;
    this.allow(Number.POSITIVE_INFINITY);
    this.release();
  }

  /** What waited while it was stalled goes on. */
  release(): void {
    this.stalled = false;
    for (const pair of this.#pairs) pair.flush();
  }

  async stop(): Promise<void> {
    this.cut('reset');
    for (const pair of [...this.#pairs]) pair.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Passes what may pass of a chunk, and reads no more of the server before the rest has passed. */
  #passWhatMay(server: Socket, chunk: Buffer, pass: (part: Buffer) => void): void {
    // Held of a connection that has been cut since.
    if (server.destroyed) return;
    const part = chunk.subarray(0, this.#downBytesLeft);
    this.#downBytesLeft -= part.length;
    if (part.length > 0) pass(part);
    if (part.length === chunk.length) return void server.resume();
    server.pause();
    this.#held.push(() => this.#passWhatMay(server, chunk.subarray(part.length), pass));
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.refusing) {
      client.destroy();
      return;
    }
    this.accepted++;
    const server = connect({ port: this.#targetPort, host: '127.0.0.1', noDelay: true });
    const pair = new Pair(this, client, server, () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
    const pass = (chunk: Buffer) => {
      const next = this.#cutNext;
      const allowed = next === undefined ? chunk.length : next.atBytes - this.bytesDown;
      this.bytesDown += chunk.length;
      pair.down.push(chunk.subarray(0, Math.max(0, allowed)));
      if (next === undefined || allowed > chunk.length) return;
      this.#cutNext = undefined;
      pair.cut(next.how);
      next.done();
    };
    server.on('data', (chunk) => this.#passWhatMay(server, chunk, pass));
  }
}

/** A client's connection and the one to the server behind it. */
class Pair {
  readonly down: Direction;
  isCut = false;
  readonly #up: Direction;
  readonly #client: Socket;
  readonly #server: Socket;

  constructor(proxy: TestProxy, client: Socket, server: Socket, onGone: () => void) {
    this.#client = client;
    this.#server = server;
    this.#up = new Direction(proxy, server, () => false);
    this.down = new Direction(proxy, client, () => proxy.swallowing);
    client.on('data', (chunk) => this.#up.push(chunk));
    server.on('error', () => {});
    // In order: what was said before the end arrives before it.
    client.on('end', () => this.#up.end());
    server.on('end', () => this.down.end());
    client.on('close', () => {
      onGone();
      server.destroy();
    });
    server.on('close', () => {
      if (!this.isCut) this.down.end();
    });
  }

  cut(how: Cut): void {
    if (this.isCut) return;
    this.isCut = true;
    this.#up.stop();
    this.down.stop();
    if (how === 'half') {
      this.#server.destroy();
      return;
    }
    if (how === 'reset') this.#client.resetAndDestroy();
    else this.#client.end();
    this.#server.destroy();
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  flush(): void {
    this.#up.flush();
    this.down.flush();
  }
}

/** Bytes on their way to one socket. */
class Direction {
  readonly #proxy: TestProxy;
  readonly #to: Socket;
  readonly #swallows: () => boolean;
  /** `undefined`: the end. */
  #waiting: (Buffer | undefined)[] = [];
  #waitingBytes = 0;
  /** What waits for its delay, oldest first: each timer lets the oldest go, so that a connection's bytes stay in order when the delay becomes shorter. */
  #delayed: (Buffer | undefined)[] = [];
  #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(proxy: TestProxy, to: Socket, swallows: () => boolean) {
    this.#proxy = proxy;
    this.#to = to;
    this.#swallows = swallows;
  }

  push(chunk: Buffer): void {
    if (this.#stopped || chunk.length === 0) return;
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) throw new Error(`more than ${WAITING_BYTES_MAX} bytes wait in the proxy`);
    this.#enqueue(chunk);
  }

  end(): void {
    if (!this.#stopped) this.#enqueue(undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#delayed = [];
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Forwards what may go. */
  flush(): void {
    while (!this.#stopped && !this.#proxy.stalled && this.#waiting.length > 0) {
      const chunk = this.#waiting.shift();
      this.#waitingBytes -= chunk?.length ?? 0;
      if (chunk === undefined) this.#to.end();
      else if (!this.#swallows()) this.#write(chunk);
    }
  }

  #enqueue(chunk: Buffer | undefined): void {
    const { delayMs } = this.#proxy;
    if (delayMs === 0 && this.#delayed.length === 0) {
      this.#waiting.push(chunk);
      this.flush();
      return;
    }
    this.#delayed.push(chunk);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#waiting.push(this.#delayed.shift());
      this.flush();
    }, delayMs);
    this.#timers.add(timer);
  }

  #write(chunk: Buffer): void {
    const { sliceBytesMax } = this.#proxy;
    if (sliceBytesMax === 0) {
      this.#to.write(chunk);
      return;
    }
    for (let at = 0; at < chunk.length; ) {
      const length = 1 + Math.floor(Math.random() * sliceBytesMax);
      this.#to.write(chunk.subarray(at, at + length));
      at += length;
    }
  }
}
