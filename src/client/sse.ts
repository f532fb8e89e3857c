/**
 * `@stentor-broadcast/client/sse`: streams of events (SSE) for networks that block WebSockets. It has its own entry, because most pages never need it.
 */
import { messageOf } from '../protocol/thrown.ts';
import type { ClientOptions } from './options.ts';
import { StreamSocket } from './stream-socket.ts';
import { type Bytes, findWebSocket, type WebSocketConstructor, type WebSocketLike } from './websocket.ts';

export type Transport = 'websocket' | 'sse';

export interface TransportOptions {
  /** What may be used, the best first. Default: `['websocket', 'sse']`. */
  readonly transports?: readonly Transport[] | undefined;
  /** Called when another transport is used for an attempt. */
  readonly onTransport?: ((transport: Transport) => void) | undefined;
}

/** After so many WebSockets in a row without a message, the next attempt is a stream. */
const FAILURES_MAX = 2;

/**
 * Options for `createClient` that fall back to a stream of events when WebSockets have failed twice. A stream takes `subscribe`, `publish` and `history`; `call`,
 * `presence` and replays are `unsupported`. When a stream ends, WebSockets are tried once before the next one.
 */
export function withSse({ transports = ['websocket', 'sse'], onTransport, ...options }: ClientOptions & TransportOptions): ClientOptions {
  const own = options.WebSocket;
  const memory: Memory = { failures: 0, last: undefined };
  const mayStream = transports.includes('sse');
  class Fallback extends FallbackSocket {
    constructor(url: string, protocols?: string[]) {
      const streams = mayStream && (!transports.includes('websocket') || memory.failures >= FAILURES_MAX);
      super(url, protocols, { own, memory, streams });
      const transport = streams ? 'sse' : 'websocket';
      if (memory.last !== transport) onTransport?.(transport);
      memory.last = transport;
    }
  }
  return { ...options, WebSocket: Fallback };
}

interface Memory {
  failures: number;
  last: Transport | undefined;
}

interface How {
  readonly own: WebSocketConstructor | undefined;
  readonly memory: Memory;
  readonly streams: boolean;
}

type Handler = ((event: never) => void) | null;

/** A WebSocket, or what looks like one to the SDK. */
class FallbackSocket implements WebSocketLike {
  binaryType = 'arraybuffer';
  onopen: Handler = null;
  onmessage: Handler = null;
  onerror: Handler = null;
  onclose: Handler = null;
  readonly #how: How;
  #inner: WebSocketLike | undefined;
  #hasHeard = false;
  #isOver = false;

  constructor(url: string, protocols: string[] | undefined, how: How) {
    this.#how = how;
    void this.#open(url, protocols);
  }

  get protocol(): string {
    return this.#inner?.protocol ?? '';
  }

  get bufferedAmount(): number {
    return this.#inner?.bufferedAmount ?? 0;
  }

  send(data: Bytes): void {
    this.#inner?.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#over();
    this.#inner?.close(code, reason);
  }

  terminate(): void {
    this.#over();
    const inner = this.#inner;
    if (inner?.terminate === undefined) inner?.close();
    else inner.terminate();
  }

  async #open(url: string, protocols: string[] | undefined): Promise<void> {
    try {
      const inner = this.#how.streams ? new StreamSocket(url) : new (await findWebSocket(this.#how.own))(url, protocols);
      if (this.#isOver) return inner.close();
      this.#inner = inner;
      this.#follow(inner);
    } catch (error) {
      this.#over();
      (this.onerror as ((event: unknown) => void) | null)?.({ message: messageOf(error) });
    }
  }

  #follow(inner: WebSocketLike): void {
    inner.binaryType = 'arraybuffer';
    const pass = (name: 'onopen' | 'onmessage' | 'onerror' | 'onclose') => (event: unknown) => {
      if (name === 'onmessage') this.#heard();
      if (name === 'onclose') this.#over();
      (this[name] as ((event: unknown) => void) | null)?.(event);
    };
    inner.onopen = pass('onopen');
    inner.onmessage = pass('onmessage');
    inner.onerror = pass('onerror');
    inner.onclose = pass('onclose');
  }

  #heard(): void {
    this.#hasHeard = true;
    if (!this.#how.streams) this.#how.memory.failures = 0;
  }

  /** A WebSocket that ends without a message has failed. After a stream, one more WebSocket is tried. */
  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { memory, streams } = this.#how;
    if (!streams && !this.#hasHeard) memory.failures++;
    else if (streams && this.#hasHeard) memory.failures = FAILURES_MAX - 1;
  }
}
