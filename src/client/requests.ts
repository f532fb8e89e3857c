import type { ServerMessage } from '../protocol/messages.ts';
import { encodeMessage, type Outgoing } from './codec.ts';
import { CommandError, ConnectionLostError, QueueFullError, TimeoutError } from './errors.ts';

type Asking = Extract<Outgoing, { type: 'subscribe' | 'unsubscribe' | 'call' | 'history' | 'refresh' }>;
type Question<M> = M extends { id: unknown } ? Omit<M, 'id'> : never;
/** A command without its id. */
export type Request = Question<Asking>;

interface Answers {
  subscribe: ServerMessage<'subscribed'>;
  unsubscribe: ServerMessage<'unsubscribed'>;
  call: ServerMessage<'result'>;
  history: ServerMessage<'history'>;
  refresh: ServerMessage<'refreshed'>;
}
export type AnswerTo<R extends Request> = Answers[NonNullable<R['type']>];

export interface AskOptions<A = unknown> {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Send it again on the next connection; else it fails with the connection that it was sent on. Only for what may be done twice. */
  readonly resend?: boolean;
  /**
   * Called as the answer comes, before any message behind it. A promise's callback is too late for a stream's start: some WebSockets give all messages of one
   * packet in one go.
   */
  readonly onAnswer?: ((answer: A) => void) | undefined;
}

export interface RequestLink {
  readonly isConnected: boolean;
  readonly messageBytesMax: number;
  send(frame: Uint8Array): void;
}

interface Pending {
  readonly frame: Uint8Array;
  readonly resend: boolean;
  sent: boolean;
  /** Parts of the answer that have come. */
  parts: ServerMessage<'history'>[];
  /** Something of the answer came: the time allowed begins anew. */
  heard(): void;
  settle(): void;
  resolve(answer: ServerMessage): void;
  reject(error: unknown): void;
}

/** Commands that wait for their answers. Those asked while there is no connection wait for the next one. */
export class Requests {
  readonly #link: RequestLink;
  readonly #requestsMax: number;
  readonly #nextId: () => number;
  readonly #pending = new Map<number, Pending>();

  constructor(link: RequestLink, requestsMax: number, nextId: () => number) {
    this.#link = link;
    this.#requestsMax = requestsMax;
    this.#nextId = nextId;
  }

  /** @throws CommandError, TimeoutError, ConnectionLostError, QueueFullError, or the signal's reason */
  ask<R extends Request>(request: R, { timeoutMs, signal, resend = false, onAnswer }: AskOptions<AnswerTo<R>>): Promise<AnswerTo<R>> {
    const id = this.#nextId();
    const answer = new Promise<ServerMessage>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#pending.size >= this.#requestsMax) throw new QueueFullError(`${this.#requestsMax} requests wait for an answer`);
      const frame = encodeMessage({ ...request, id } as Outgoing);
      const onAbort = () => this.#fail(id, signal?.reason);
      const onTimeout = () => this.#fail(id, new TimeoutError(`no answer to ${request.type} within ${timeoutMs} ms`));
      let timer = setTimeout(onTimeout, timeoutMs);
      const heard = () => {
        clearTimeout(timer);
        timer = setTimeout(onTimeout, timeoutMs);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const take = (message: ServerMessage) => {
        onAnswer?.(message as AnswerTo<R>);
        resolve(message);
      };
      const pending: Pending = { frame, resend, sent: false, parts: [], heard, settle, resolve: take, reject };
      this.#pending.set(id, pending);
      if (this.#link.isConnected) this.#send(id, pending);
    });
    // Whoever does not look at the outcome does not want to be told by a crash.
    answer.catch(() => {});
    return answer as Promise<AnswerTo<R>>;
  }

  /** @returns false when nobody asked, or nobody waits any more */
  answered(id: number, message: ServerMessage): boolean {
    const waiting = this.#pending.get(id);
    if (message.type === 'history' && message.continues && waiting !== undefined) {
      waiting.parts.push(message);
      waiting.heard();
      return true;
    }
    const pending = this.#take(id);
    if (pending === undefined) return false;
    if (message.type === 'error') pending.reject(new CommandError(message));
    else pending.resolve(message.type === 'history' ? joined([...pending.parts, message]) : message);
    return true;
  }

  connected(): void {
    for (const [id, pending] of this.#pending) if (!pending.sent) this.#send(id, pending);
  }

  disconnected(): void {
    for (const [id, pending] of this.#pending) {
      if (!pending.sent) continue;
      pending.parts = [];
      if (pending.resend) pending.sent = false;
      else this.#fail(id, new ConnectionLostError('the connection ended before the answer came'));
    }
  }

  failAll(error: Error): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error);
  }

  #send(id: number, pending: Pending): void {
    // The server would close the connection for it, for good.
    if (pending.frame.length > this.#link.messageBytesMax) return this.#fail(id, tooBig(pending.frame.length, this.#link.messageBytesMax));
    pending.sent = true;
    this.#link.send(pending.frame);
  }

  #fail(id: number, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.settle();
    return pending;
  }
}

/** The parts of an answer as one. */
function joined(parts: readonly ServerMessage<'history'>[]): ServerMessage<'history'> {
  const last = parts.at(-1) as ServerMessage<'history'>;
  if (parts.length === 1) return last;
  const complete = parts.every((part) => part.complete && part.epoch === last.epoch);
  return { ...last, complete, items: parts.flatMap(({ items }) => items) };
}

export function tooBig(bytes: number, bytesMax: number): CommandError {
  return new CommandError({
    code: 'message_too_big',
    message: `the message has ${bytes} bytes, the server takes ${bytesMax}`,
    retryable: false,
  });
}
