/** `@stentor-broadcast/client/calls`: answers calls of servers. It has its own entry, because most pages need none. */
import { assertFields, assertTopic } from './check.ts';
import type { Client } from './client.ts';
import type { CallOfServer } from './client-types.ts';

/** Answers a call of a server. Its result is the answer; what it throws is answered with `code`, if it has one, and its message. */
// biome-ignore lint/suspicious/noExplicitAny: what the server sends
export type CallHandler = (data: any, call: { readonly method: string; readonly timeoutMs: number }) => unknown;

/** By method. */
const HANDLERS = new WeakMap<object, Map<string, CallHandler>>();

/**
 * Answers calls of servers to `method` from now on. There is one handler for a method: the last one.
 * @returns a function that stops it @throws InvalidError
 */
export function onCall(client: Pick<Client, 'on'>, method: string, handler: CallHandler): () => void {
  assertTopic(method);
  assertFields({ listener: handler ?? null });
  const handlers = HANDLERS.get(client) ?? begin(client);
  handlers.set(method, handler);
  return () => {
    if (handlers.get(method) === handler) handlers.delete(method);
  };
}

function begin(client: Pick<Client, 'on'>): Map<string, CallHandler> {
  const handlers = new Map<string, CallHandler>();
  HANDLERS.set(client, handlers);
  client.on('call', (call) => void answer(call, handlers.get(call.method)));
  return handlers;
}

/** Never rejects. */
async function answer(call: CallOfServer, handler: CallHandler | undefined): Promise<void> {
  const { method, timeoutMs } = call;
  try {
    if (handler === undefined) throw { code: 'no_handler', message: `no handler for ${method}` };
    const data = (await handler(call.data, { method, timeoutMs })) ?? null;
    if (!call.answer({ type: 'result', data }))
      throw { code: 'answer_too_large', message: 'the server takes no message as large as this answer' };
  } catch (error) {
    const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
    call.answer({
      type: 'error',
      code: (typeof code === 'string' && code.slice(0, 64)) || 'handler_failed',
      message: String(message ?? error).slice(0, 1024),
    });
  }
}
