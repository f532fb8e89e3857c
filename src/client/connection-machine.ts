import { reconnectAdvice } from '../protocol/close-codes.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { type BackoffOptions, backoffDelayMs } from './backoff.ts';
import { type ConnectionState, NORMAL_CLOSURE, type Reason } from './state.ts';

/** What to do next. */
export type NextStep =
  | { readonly kind: 'dial'; readonly url: string }
  /** Call {@link ConnectionMachine.due} at that time. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'rest' };

export interface MachineOptions {
  readonly urls: readonly string[];
  readonly backoff: BackoffOptions;
  /** In [0, 1). */
  readonly random: () => number;
}

const REST: NextStep = { kind: 'rest' };

/** Decides when to connect to which URL. No sockets and no timers: it is told what happened and when, and returns what to do next. */
export class ConnectionMachine {
  readonly #options: MachineOptions;
  #state: ConnectionState = { status: 'disconnected', reason: { code: NORMAL_CLOSURE, text: 'not started' } };
  #url = 0;
  #attempt = 0;
  #wasConnected = false;
  #connectedAtMs: number | undefined;
  /** A wake-up does not shorten the wait below this time, which the server named. */
  #notBeforeMs = 0;
  #retryAfterMs = 0;
  #closing: ServerMessage<'closing'> | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  start(): NextStep {
    if (this.#state.status !== 'disconnected') return REST;
    this.#attempt = 0;
    this.#wasConnected = false;
    this.#retryAfterMs = 0;
    return this.#dial(undefined);
  }

  connected(
    { connectionId, nodeId, user, userTopic }: Pick<ServerMessage<'connected'>, 'connectionId' | 'nodeId' | 'user' | 'userTopic'>,
    nowMs: number,
  ): void {
    this.#wasConnected = true;
    this.#connectedAtMs = nowMs;
    this.#retryAfterMs = 0;
    this.#state = { status: 'connected', url: this.#currentUrl, connectionId, nodeId, user, userTopic };
  }

  /** The server announced a close, and the window to reconnect in. */
  closing(message: ServerMessage<'closing'>): void {
    const { min, max } = message.reconnectAfterMs ?? {};
    // An invalid window would give an invalid pause.
    if (Number.isFinite(min) && Number.isFinite(max)) this.#closing = message;
  }

  /** The server requested a pause: if the connection ends now, do not reconnect earlier. */
  retryAfter(ms: number): void {
    if (Number.isFinite(ms)) this.#retryAfterMs = ms;
  }

  /** The connection, or the attempt, has ended. */
  lost(reason: Reason, nowMs: number): NextStep {
    if (this.#state.status === 'disconnected') return REST;
    const closing = this.#closing;
    this.#closing = undefined;
    // A proxy may cut the connection before the announced close frame arrives.
    const code = closing !== undefined && (reason.code < 4000 || reason.code >= 4300) ? closing.code : reason.code;
    const advice = reconnectAdvice(code);
    if (advice === 'never') return this.stop(reason);

    const connectedAtMs = this.#connectedAtMs;
    this.#connectedAtMs = undefined;
    if (connectedAtMs !== undefined && nowMs - connectedAtMs >= this.#options.backoff.stableAfterMs) this.#attempt = 0;
    // A good node whose connection was cut is the most likely to have our history in its cache. A node that failed or is leaving is not.
    if (connectedAtMs === undefined || closing !== undefined) this.#url++;

    const delayMs = this.#delayMs(advice === 'now', closing);
    this.#attempt++;
    const named = Math.max(this.#retryAfterMs, closing === undefined ? 0 : delayMs);
    this.#retryAfterMs = 0;
    const untilMs = nowMs + Math.max(delayMs, named);
    this.#notBeforeMs = nowMs + named;
    this.#pending(reason, untilMs);
    return { kind: 'wait', untilMs };
  }

  /** The time for the next attempt has come. */
  due(): NextStep {
    const state = this.#state;
    if (!isPending(state) || state.nextAttemptAtMs === undefined) return REST;
    return this.#dial(state.reason);
  }

  /** The network is back, or the page became visible: skip the rest of the backoff, but not the pause that the server requested. */
  wake(nowMs: number): NextStep {
    const state = this.#state;
    if (!isPending(state) || state.nextAttemptAtMs === undefined) return REST;
    if (this.#notBeforeMs <= nowMs) return this.#dial(state.reason);
    if (this.#notBeforeMs >= state.nextAttemptAtMs) return REST;
    this.#pending(state.reason, this.#notBeforeMs);
    return { kind: 'wait', untilMs: this.#notBeforeMs };
  }

  /** Stops trying. */
  stop(reason: Reason): NextStep {
    this.#closing = undefined;
    this.#connectedAtMs = undefined;
    this.#state = { status: 'disconnected', reason };
    return REST;
  }

  get #currentUrl(): string {
    const { urls } = this.#options;
    return urls[this.#url % urls.length] as string;
  }

  #dial(reason: Reason | undefined): NextStep {
    this.#pending(reason, undefined);
    return { kind: 'dial', url: this.#currentUrl };
  }

  #pending(reason: Reason | undefined, nextAttemptAtMs: number | undefined): void {
    const status = this.#wasConnected ? 'reconnecting' : 'connecting';
    this.#state = { status, url: this.#currentUrl, attempt: this.#attempt, reason, nextAttemptAtMs };
  }

  #delayMs(now: boolean, closing: ServerMessage<'closing'> | undefined): number {
    const { urls, backoff, random } = this.#options;
    if (closing !== undefined) {
      const { min, max } = closing.reconnectAfterMs;
      return min + random() * Math.max(0, max - min);
    }
    // Immediately, but not in a loop: after a second such close in a row it waits.
    if (now && this.#attempt === 0) return 0;
    // One round through all URLs counts as one attempt.
    return backoffDelayMs(Math.floor(this.#attempt / urls.length), backoff, random());
  }
}

function isPending(state: ConnectionState): state is Extract<ConnectionState, { status: 'connecting' | 'reconnecting' }> {
  return state.status === 'connecting' || state.status === 'reconnecting';
}
