import type { ServerMessage } from '../protocol/messages.ts';
import { nowMs } from './clock.ts';
import { encodeMessage, type Outgoing } from './codec.ts';
import { CommandError, ConnectionLostError, QueueFullError, TimeoutError } from './errors.ts';
import { joinHistory } from './history-parts.ts';
import { handled } from './platform.ts';
import { Timer } from './timer.ts';

type Asking = Extract<Outgoing, { type: 'subscribe' | 'unsubscribe' | 'call' | 'history' | 'presence' | 'refresh' }>;
type Question<M> = M extends { id: unknown } ? Omit<M, 'id'> : never;
/** A command without its id. */
export type Request = Question<Asking>;

interface Answers {
  subscribe: ServerMessage<'subscribed'>;
  unsubscribe: ServerMessage<'unsubscribed'>;
  call: ServerMessage<'result'>;
  history: ServerMessage<'history'>;
  presence: ServerMessage<'presence'>;
  refresh: ServerMessage<'refreshed'>;
}
export type AnswerTo<R extends Request> = Answers[NonNullable<R['type']>];

export interface AskOptions<A = unknown> {
  readonly timeoutMs: number;
  /**
   * The time runs from the call, if the caller was promised an outcome by then; otherwise from the last byte received on the connection, because the answer may
   * wait behind other data on a slow connection.
   */
  readonly isStrict?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Send it again on the next connection; otherwise it fails when its connection ends. Only for commands that may be executed twice. */
  readonly resend?: boolean;
  /**
   * Called when the answer arrives, before any message after it. A promise's callback would be too late for the start of a stream: some WebSockets emit all
   * messages of one packet in the same task.
   */
  readonly onAnswer?: ((answer: A) => void) | undefined;
  /** Called with each part of a `history` except the last; without it the parts are joined to one answer. */
  readonly onPart?: ((part: ServerMessage<'history'>) => void) | undefined;
}

export interface RequestConnection {
  readonly isConnected: boolean;
  readonly messageBytesMax: number;
  /** When the last byte arrived, by {@link nowMs}; 0: none yet. */
  readonly heardAtMs: number;
  send(frame: Uint8Array, command?: Outgoing): void;
}

interface Pending {
  readonly command: Outgoing;
  readonly frame: Uint8Array;
  readonly resend: boolean;
  sent: boolean;
  /** Parts of the answer, from this connection. */
  parts: ServerMessage<'history'>[];
  readonly onPart: ((part: ServerMessage<'history'>) => void) | undefined;
  settle(): void;
  resolve(answer: ServerMessage): void;
  reject(error: unknown): void;
}

/** Commands that wait for their answers. Without a connection they wait for the next one. */
export class Requests {
  readonly #connection: RequestConnection;
  readonly #requestsMax: number;
  readonly #nextId: () => number;
  readonly #pending = new Map<number, Pending>();

  constructor(connection: RequestConnection, requestsMax: number, nextId: () => number) {
    this.#connection = connection;
    this.#requestsMax = requestsMax;
    this.#nextId = nextId;
  }

  /** @throws CommandError, TimeoutError, ConnectionLostError, QueueFullError, or the signal's reason */
  ask<R extends Request>(
    request: R,
    { timeoutMs, isStrict, signal, resend = false, onAnswer, onPart }: AskOptions<AnswerTo<R>>,
  ): Promise<AnswerTo<R>> {
    const id = this.#nextId();
    const start = (resolve: (answer: AnswerTo<R>) => void, reject: (error: unknown) => void) => {
      if (signal?.aborted) throw reasonOf(signal);
      if (this.#pending.size >= this.#requestsMax) throw new QueueFullError(`${this.#requestsMax} requests wait for an answer`);
      const command = { ...request, id } as Outgoing;
      const frame = encodeMessage(command);
      const onAbort = () => this.#fail(id, reasonOf(signal as AbortSignal));
      const askedAtMs = nowMs();
      const timer = new Timer(() => {
        // Checked when it is due, so that a received byte costs nothing.
        const leftMs = isStrict ? 0 : Math.max(askedAtMs, this.#connection.heardAtMs) + timeoutMs - nowMs();
        if (leftMs > 0) timer.set(leftMs);
        else this.#fail(id, new TimeoutError(`no answer to ${request.type} within ${timeoutMs} ms`));
      });
      timer.set(timeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      const settle = () => {
        timer.clear();
        signal?.removeEventListener('abort', onAbort);
      };
      const take = (message: ServerMessage) => {
        onAnswer?.(message as AnswerTo<R>);
        resolve(message as AnswerTo<R>);
      };
      const pending: Pending = { command, frame, resend, sent: false, parts: [], onPart, settle, resolve: take, reject };
      this.#pending.set(id, pending);
      if (this.#connection.isConnected) this.#send(id, pending);
    };
    return handled(() => new Promise(start));
  }

  /** @returns false if there was no such request, or it no longer waits */
  answered(id: number, message: ServerMessage): boolean {
    if (message.type === 'history' && message.continues === true) return this.#part(id, message);
    const pending = this.#take(id);
    if (pending === undefined) return false;
    const whole = message.type === 'history' || message.type === 'error' ? joinHistory(pending.parts, message) : message;
    if (whole.type === 'error') pending.reject(new CommandError(whole));
    else pending.resolve(whole);
    return true;
  }

  connected(): void {
    for (const [id, pending] of this.#pending) if (!pending.sent) this.#send(id, pending);
  }

  disconnected(): void {
    for (const [id, pending] of this.#pending) {
      if (!pending.sent) continue;
      // It is sent again, and answered from the beginning.
      pending.parts = [];
      if (pending.resend) pending.sent = false;
      else this.#fail(id, new ConnectionLostError('the connection ended before the answer came'));
    }
  }

  failAll(error: Error): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error);
  }

  #part(id: number, part: ServerMessage<'history'>): boolean {
    const pending = this.#pending.get(id);
    if (pending?.onPart === undefined) pending?.parts.push(part);
    else pending.onPart(part);
    return pending !== undefined;
  }

  #send(id: number, pending: Pending): void {
    // The server would close the connection permanently for it.
    if (pending.frame.length > this.#connection.messageBytesMax)
      return this.#fail(id, tooBig(pending.frame.length, this.#connection.messageBytesMax));
    pending.sent = true;
    this.#connection.send(pending.frame, pending.command);
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

export function tooBig(bytes: number, bytesMax: number): CommandError {
  return new CommandError({
    code: 'message_too_big',
    message: `the message has ${bytes} bytes; the server accepts ${bytesMax}`,
    retryable: false,
  });
}

/** Old platforms abort without a reason. */
function reasonOf(signal: AbortSignal): unknown {
  return signal.reason ?? new Error('aborted');
}
