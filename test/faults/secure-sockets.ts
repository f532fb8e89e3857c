import { WebSocket } from 'ws';
import type { WebSocketConstructor } from '../../src/client/websocket.ts';

/** Of a `closing` message: small, and the only one with this text where payloads have none. */
const CLOSING = 'closing';
const CLOSING_BYTES_MAX = 512;

export interface SecureSockets {
  /** For the SDK: WebSockets that trust the CA. */
  readonly WebSocket: WebSocketConstructor;
  /** Open connections that ended after a `closing`, or without one. */
  readonly closedWithClosing: number;
  readonly closedWithout: number;
  /** Connections that were never open. */
  readonly failed: number;
}

/** WebSockets over TLS that count how they ended. */
export function secureSockets(ca: Buffer): SecureSockets {
  const counts = { closedWithClosing: 0, closedWithout: 0, failed: 0 };
  class SecureSocket extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols ?? [], { ca, perMessageDeflate: false });
      let opened = false;
      let announced = false;
      this.once('open', () => {
        opened = true;
      });
      // The SDK asks for ArrayBuffers.
      this.on('message', (data: ArrayBuffer) => {
        announced ||= data.byteLength < CLOSING_BYTES_MAX && Buffer.from(data).includes(CLOSING);
      });
      this.once('close', () => {
        if (!opened) counts.failed++;
        else if (announced) counts.closedWithClosing++;
        else counts.closedWithout++;
      });
    }
  }
  return {
    WebSocket: SecureSocket as unknown as WebSocketConstructor,
    get closedWithClosing() {
      return counts.closedWithClosing;
    },
    get closedWithout() {
      return counts.closedWithout;
    },
    get failed() {
      return counts.failed;
    },
  };
}
