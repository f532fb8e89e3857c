import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { decodeFrame } from './decode-frame.ts';

/** What the proxy does to the server's frames. Client frames always pass. */
export type FrameFault =
  | { readonly kind: 'none' }
  /** After this number of frames over all connections the proxy drops all frames from the server, or all batches. No side is told. */
  | { readonly kind: 'silent'; readonly afterFrames: number; readonly what: 'everything' | 'batches' }
  /** Every frame comes twice. */
  | { readonly kind: 'doubled' }
  /** Every so many-th frame of a connection is lost. */
  | { readonly kind: 'dropped'; readonly every: number }
  /** Those messages are lost that this says yes to. */
  | { readonly kind: 'lost'; isLost(message: ServerMessage): boolean };

/** Frames that the server sends before its client's handshake is over, and code 1005, 1006 or none: neither may be sent. */
const SENDABLE_CODE_MIN = 3000;

/** A WebSocket proxy in front of a node. It disturbs the stream, to test that monitors of the node notice. */
export class FrameProxy {
  fault: FrameFault = { kind: 'none' };
  /** Frames that the server sent over all connections, so far. */
  frames = 0;
  readonly #server: Server = createServer();
  readonly #webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #target: string;

  /** @param target the node's URL */
  private constructor(target: string) {
    this.#target = target;
    this.#server.on('upgrade', (request, socket, head) => this.#accept(request, socket, head));
  }

  static async start(target: string, fault: FrameFault = { kind: 'none' }): Promise<FrameProxy> {
    const proxy = new FrameProxy(target);
    proxy.fault = fault;
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `ws://127.0.0.1:${port}${new URL(this.#target).pathname}`;
  }

  async stop(): Promise<void> {
    for (const client of this.#webSockets.clients) client.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const { authorization, 'sec-websocket-protocol': protocols } = request.headers;
    const offered = protocols?.split(',').map((protocol) => protocol.trim()) ?? [];
    const headers = authorization === undefined ? {} : { authorization };
    const upstream = new WebSocket(this.#target, offered, { headers, perMessageDeflate: false });
    upstream.on('error', () => socket.destroy());
    upstream.once('unexpected-response', (_, { statusCode = 502 }) => {
      socket.end(`HTTP/1.1 ${statusCode} refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      upstream.terminate();
    });
    // In the event itself: the server's first frame may be in the same chunk.
    upstream.once('open', () => {
      request.headers['sec-websocket-protocol'] = upstream.protocol;
      this.#webSockets.handleUpgrade(request, socket, head, (client) => this.#join(client, upstream));
    });
  }

  #join(client: WebSocket, upstream: WebSocket): void {
    let frames = 0;
    client.on('error', () => {});
    client.on('message', (data, isBinary) => upstream.send(data, { binary: isBinary }));
    upstream.on('message', (data: Buffer, isBinary) => {
      this.frames++;
      for (let times = this.#timesToSend(data, isBinary, ++frames); times > 0; times--) client.send(data, { binary: isBinary });
    });
    client.on('close', (code, reason) => closeWith(upstream, code, reason));
    upstream.on('close', (code, reason) => closeWith(client, code, reason));
  }

  #timesToSend(data: Buffer, isBinary: boolean, frame: number): number {
    const { fault } = this;
    switch (fault.kind) {
      case 'none':
        return 1;
      case 'doubled':
        return 2;
      case 'dropped':
        return frame % fault.every === 0 ? 0 : 1;
      case 'lost':
        return fault.isLost(decodeFrame(data, isBinary) as ServerMessage) ? 0 : 1;
      case 'silent':
        if (this.frames <= fault.afterFrames) return 1;
        return fault.what === 'everything' || decodeFrame(data, isBinary).type === 'batch' ? 0 : 1;
    }
  }
}

function closeWith(socket: WebSocket, code: number, reason: Buffer): void {
  if (code >= SENDABLE_CODE_MIN) socket.close(code, reason);
  else if (code === 1006) socket.terminate();
  else socket.close();
}
