import type { ServerMessage } from '../protocol/messages.ts';
import { encodeMessage } from './codec.ts';

/** Answers a call of a server. Its result is the answer; what it throws is answered with `code`, if it has one, and its message. */
// biome-ignore lint/suspicious/noExplicitAny: what the server sends
export type CallHandler = (data: any, call: { readonly method: string; readonly timeoutMs: number }) => unknown;

/** What answers the calls of servers. */
export class CallHandlers {
  readonly #handlers = new Map<string, CallHandler>();

  /** @returns a function that stops it */
  set(method: string, handler: CallHandler): () => void {
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  /** The message that answers the call. Never rejects. */
  async answer({ id, method, data, timeoutMs }: ServerMessage<'call'>, bytesMax: number): Promise<Uint8Array> {
    try {
      const handler = this.#handlers.get(method);
      if (handler === undefined) throw { code: 'no_handler', message: `no handler for ${method}` };
      const frame = encodeMessage({ type: 'result', id, data: (await handler(data, { method, timeoutMs })) ?? null });
      if (frame.length > bytesMax) throw { code: 'answer_too_large', message: `${frame.length} bytes; at most ${bytesMax} are allowed` };
      return frame;
    } catch (error) {
      const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
      return encodeMessage({
        type: 'error',
        id,
        code: (typeof code === 'string' && code.slice(0, 64)) || 'handler_failed',
        message: String(message ?? error).slice(0, 1024),
      });
    }
  }
}
