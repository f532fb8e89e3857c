import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A network that lets HTTP through, and cuts every connection that asks for a WebSocket. */
export class WebSocketBlocker {
  isBlocking = true;
  /** Answers everything itself, as the portal of a network does. */
  isRefusing = false;
  /** WebSockets that it has cut. */
  blocked = 0;
  /** Requests that it has answered itself. */
  refused = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number) {
    this.#server = createServer((client) => this.#accept(client, targetPort));
  }

  static async start(targetPort: number): Promise<WebSocketBlocker> {
    const blocker = new WebSocketBlocker(targetPort);
    blocker.#server.listen(0, '127.0.0.1');
    await once(blocker.#server, 'listening');
    return blocker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks what is open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket, targetPort: number): void {
    this.#keep(client);
    client.once('data', (head) => {
      if (this.isBlocking && /^upgrade: websocket/im.test(head.toString('latin1'))) {
        this.blocked++;
        return client.destroy();
      }
      if (this.isRefusing) {
        this.refused++;
        return client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<h1>No!</h1>');
      }
      const server = connect(targetPort, '127.0.0.1');
      this.#keep(server);
      // Not when it is connected: what the client sends meanwhile would go before it.
      server.write(head);
      client.pipe(server).pipe(client);
      client.once('close', () => server.destroy());
      server.once('close', () => client.destroy());
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
