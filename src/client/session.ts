import { SUBPROTOCOLS } from '../protocol/codec.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { FrameReader, type NewUnpacker } from './frame-reader.ts';
import { ABNORMAL_CLOSURE, abnormal, NORMAL_CLOSURE, type Reason } from './state.ts';
import type { Bytes, WebSocketConstructor, WebSocketLike } from './websocket.ts';

export interface SessionEvents {
  opened(): void;
  /** Any bytes arrived. */
  heard(bytes: number): void;
  message(message: ServerMessage): void;
  /** Called at most once; nothing comes after it. */
  ended(reason: Reason): void;
}

/** How long to wait for the other side's close frame before the connection is dropped. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * One WebSocket, from its opening to its end. It ends when this class decides so: a browser's `onclose` may come a minute after the other side has vanished.
 */
export class Session {
  readonly #socket: WebSocketLike;
  readonly #reader: FrameReader;
  readonly #events: SessionEvents;
  #opened = false;
  #ended = false;
  #errorText = '';

  constructor(WebSocket: WebSocketConstructor, url: string, events: SessionEvents, unpacker?: NewUnpacker) {
    this.#events = events;
    this.#reader = new FrameReader(
      (message) => {
        if (!this.#ended) events.message(message);
      },
      (text) => this.abandon(text),
      unpacker,
    );
    const socket = new WebSocket(url, [SUBPROTOCOLS.msgpack]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#opened = true;
      if (socket.protocol === SUBPROTOCOLS.msgpack) events.opened();
      else this.abandon(`${url} does not speak ${SUBPROTOCOLS.msgpack}`);
    };
    socket.onmessage = ({ data }: { data: ArrayBuffer }) => {
      // A text, or what a platform gives that ignores `binaryType`.
      if (typeof data?.byteLength !== 'number') return this.abandon('a frame is no ArrayBuffer');
      events.heard(data.byteLength);
      this.#reader.receive(new Uint8Array(data));
    };
    socket.onerror = ({ message }: { message?: unknown }) => {
      if (typeof message === 'string') this.#errorText = message;
      // Node 22 reports a failed handshake only by this event.
      if (!this.#opened) this.#end(abnormal(this.#errorText || `cannot connect to ${url}`));
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.#end({ code, text: reason || this.#errorText || (code === ABNORMAL_CLOSURE ? 'connection lost' : 'closed') });
    };
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    // The encoder's buffers are never shared.
    if (!this.#ended) this.#socket.send(frame as Bytes);
  }

  /** Ends the connection with a reason: {@link SessionEvents.ended} is called inside this call. */
  abandon(text: string): void {
    this.#end(abnormal(text));
  }

  /** Ends the connection without events. */
  drop(): void {
    if (this.#ended) return;
    this.#forget();
    const socket = this.#socket;
    if (socket.terminate === undefined) socket.close();
    else socket.terminate();
  }

  /** Closes the connection. Resolves when the other side has answered, or after a second. */
  close(): Promise<void> {
    const socket = this.#socket;
    this.#forget();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        socket.onclose = null;
        socket.terminate?.();
        resolve();
      }, CLOSE_TIMEOUT_MS);
      socket.onclose = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.close(NORMAL_CLOSURE);
    });
  }

  #end(reason: Reason): void {
    if (this.#ended) return;
    this.drop();
    this.#events.ended(reason);
  }

  #forget(): void {
    const socket = this.#socket;
    this.#ended = true;
    this.#reader.stop();
    // An error handler stays, because `ws` throws without one.
    socket.onerror = () => {};
    socket.onopen = socket.onmessage = socket.onclose = null;
  }
}
