import { InvalidError } from './errors.ts';

/** Bytes in memory that is not shared, as the platforms' types require. Written so that TypeScript before 5.7 can read it too. */
export type Bytes = Uint8Array & { readonly buffer: ArrayBuffer };

/** The part of the WebSocket API that is used. Those of browsers, Node 22 and the `ws` package all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Bytes): void;
  close(code?: number, reason?: string): void;
  /** `ws` only: ends the TCP connection immediately. */
  terminate?(): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

interface Platform {
  readonly WebSocket?: WebSocketConstructor;
  readonly process?: { readonly versions?: { readonly node?: string } };
}

/**
 * The platform's own WebSocket. In Node, that of the `ws` package if it is installed: Node 20 has none of its own, and that of Node 22 cannot abandon a
 * connection whose other side has vanished, which then keeps the process alive. An environment that looks like Node may be something else (a worker with Node's
 * globals, a test environment), and `ws` may be its stub for browsers. So anything that is not a constructor is ignored.
 * @throws InvalidError if there is none
 */
export async function findWebSocket(given: WebSocketConstructor | undefined): Promise<WebSocketConstructor> {
  if (given !== undefined) return given;
  const { WebSocket: own, process } = globalThis as Platform;
  if (typeof own === 'function' && process?.versions?.node === undefined) return own;
  const packaged = await packagedWebSocket();
  if (typeof packaged === 'function') return packaged;
  if (typeof own === 'function') return own;
  throw new InvalidError('this platform has no WebSocket: install the package ws, or pass one as the option WebSocket');
}

async function packagedWebSocket(): Promise<WebSocketConstructor | undefined> {
  try {
    return ((await import('ws')) as { WebSocket?: unknown }).WebSocket as WebSocketConstructor | undefined;
  } catch {
    return undefined;
  }
}
