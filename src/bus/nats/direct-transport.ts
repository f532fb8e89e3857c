import { createConnection, type Socket } from 'node:net';
import { type ConnectionOptions, deferred, type NatsConnection, NatsConnectionImpl, setTransportFactory } from '@nats-io/transport-node';
import { NodeTransport, nodeResolveHost } from '@nats-io/transport-node/lib/node_transport.js';

const READ_BYTES = 65_536;

interface Parser {
  parse(bytes: Uint8Array): void;
}

/**
 * The client's transport, but for how bytes reach the client's parser: from the socket's read, in the same call. The client's own way is a new buffer of 64 KiB
 * for each read, a stream's events, an async iterator and its promises: of 30 µs a message at 1,000 messages a second this leaves 17 µs, and of 84 µs at 250 a second,
 * where less of the code is compiled, 56 µs.
 *
 * Until {@link parseInto} is called it is the client's transport, and so it is with TLS but for the parser.
 */
class DirectTransport extends NodeTransport {
  #parser: Parser | undefined;
  /** The client's reader has parsed all that it was given, and waits. */
  #readerWaits = false;

  get isDirect(): boolean {
    return this.#parser !== undefined;
  }

  /** From now on whatever comes is parsed at once, as soon as what waits for the client's reader has been. */
  parseInto(parser: Parser): void {
    this.#parser = parser;
  }

  override dial({ port, hostname }: { port: number; hostname: string }): Promise<Socket> {
    return new Promise((resolve, reject) => {
      let failure: Error | undefined;
      const socket = createConnection({
        port,
        host: hostname,
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafeSlow(READ_BYTES),
          // A copy: what waits for an answer keeps its message.
          callback: (length, buffer) => {
            const bytes = Buffer.from(buffer.subarray(0, length));
            if (this.connected) this.#receive(bytes);
            // What comes first, the server's INFO, is waited for as an event.
            else socket.emit('data', bytes);
            return true;
          },
        },
      });
      socket.once('connect', () => {
        socket.removeAllListeners();
        resolve(socket);
      });
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('close', () => {
        socket.removeAllListeners();
        reject(failure);
      });
    });
  }

  override setupHandlers(): void {
    super.setupHandlers();
    // A socket with TLS has events only.
    this.socket.removeAllListeners('data');
    this.socket.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  override async *iterate(): AsyncIterableIterator<Uint8Array> {
    while (!this.done) {
      const waiting = this.yields;
      this.yields = [];
      for (const bytes of waiting) yield bytes;
      if (this.yields.length > 0) continue;
      this.signal = deferred();
      this.#readerWaits = true;
      await this.signal;
      this.#readerWaits = false;
    }
  }

  #receive(bytes: Buffer): void {
    if (this.#parser === undefined || !this.#readerWaits) {
      this.yields.push(bytes);
      this.signal.resolve();
      return;
    }
    try {
      this.#parser.parse(bytes);
    } catch (error) {
      // Not NATS's protocol, or a callback's bug: where in the stream the next message begins is not known any more.
      void this.close(error as Error);
    }
  }
}

/** Connects as the client's own `connect` does, but that the connection reads directly. It does again after it has been lost when {@link readDirectly} is called. */
export async function connectDirectly(options: ConnectionOptions): Promise<NatsConnection> {
  // One for the whole process: the client's own `connect` puts its own there, and a connection that comes back then reads as the client does.
  setTransportFactory({ factory: () => new DirectTransport(), dnsResolveFn: nodeResolveHost });
  const connection = await NatsConnectionImpl.connect(options);
  readDirectly(connection);
  return connection;
}

/** To be called when the connection is there again: its transport and parser are new ones. */
export function readDirectly(connection: NatsConnection): void {
  if (connection instanceof NatsConnectionImpl) transportOf(connection)?.parseInto(connection.protocol.parser);
}

export function readsDirectly(connection: NatsConnection): boolean {
  return connection instanceof NatsConnectionImpl && transportOf(connection)?.isDirect === true;
}

function transportOf({ protocol: { transport } }: NatsConnectionImpl): DirectTransport | undefined {
  return transport instanceof DirectTransport ? transport : undefined;
}
