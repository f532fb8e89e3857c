/** The part of the WebSocket API that is used: browsers', Node 22's and the `ws` package's all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  /** `ws` only: ends the TCP connection at once. */
  terminate?(): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

interface Platform {
  readonly WebSocket?: WebSocketConstructor;
  readonly process?: { readonly versions?: { readonly node?: string } };
}

/**
 * The platform's own; in Node the `ws` package's, where it is installed: Node 20 has none of its own, and that of Node 22 cannot let go of a connection whose other
 * side has vanished, which then keeps the process.
 */
export async function findWebSocket(given: WebSocketConstructor | undefined): Promise<WebSocketConstructor> {
  if (given !== undefined) return given;
  const { WebSocket: own, process } = globalThis as Platform;
  if (own !== undefined && process?.versions?.node === undefined) return own;
  try {
    return (await import('ws')).WebSocket as unknown as WebSocketConstructor;
  } catch (error) {
    if (own === undefined) throw error;
    return own;
  }
}
