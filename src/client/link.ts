import { CLOSE_CODES } from '../protocol/close-codes.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { ClockEstimate, nowMs } from './clock.ts';
import { encodeMessage, type Outgoing } from './codec.ts';
import { ConnectionMachine, type NextStep } from './connection-machine.ts';
import { UnauthorizedError } from './errors.ts';
import { canInflate } from './inflate.ts';
import { Liveness } from './liveness.ts';
import type { Settings, TokenSource } from './options.ts';
import { Outbox } from './outbox.ts';
import { Session } from './session.ts';
import { ABNORMAL_CLOSURE, type ConnectionState, type Reason } from './state.ts';
import type { Counters } from './stats.ts';
import { Timer } from './timer.ts';
import { onWake } from './wake.ts';
import { findWebSocket, type WebSocketConstructor } from './websocket.ts';

export interface LinkEvents {
  stateChanged(state: ConnectionState): void;
  connected(message: ServerMessage<'connected'>): void;
  /** A connection that was there is gone; another is on its way, unless {@link LinkEvents.stopped} follows. */
  disconnected(): void;
  /** Nothing is tried any more. */
  stopped(reason: Reason): void;
  /** Everything but what keeps the connection itself. */
  message(message: ServerMessage): void;
}

/** Wire id of `connect`; what others send has ids from 1. */
const CONNECT_ID = 0;

/** Keeps one connection to one of the URLs, or tries to: the machine's decisions made real with sockets and timers. */
export class Link {
  readonly clock = new ClockEstimate();
  readonly #settings: Settings;
  readonly #events: LinkEvents;
  readonly #counters: Counters;
  readonly #machine: ConnectionMachine;
  readonly #attemptTimer = new Timer(() => this.#next(this.#machine.due()));
  readonly #connectTimer: Timer;
  readonly #livenessTimer = new Timer(() => this.#pollLiveness());
  /** Counts attempts, so that what comes late from an earlier one is known. */
  #attempt = 0;
  #session: Session | undefined;
  #outbox: Outbox | undefined;
  #liveness: Liveness | undefined;
  #limits: ServerMessage<'connected'>['limits'] | undefined;
  #nodeId = '';
  #connectSentAtMs = 0;
  #endWake: (() => void) | undefined;
  #announced: ConnectionState | undefined;

  constructor(settings: Settings, counters: Counters, events: LinkEvents) {
    this.#settings = settings;
    this.#counters = counters;
    this.#events = events;
    this.#machine = new ConnectionMachine({ urls: settings.urls, backoff: settings.backoff, random: Math.random });
    this.#connectTimer = new Timer(() => this.#lost(abnormal(`not connected within ${settings.connectTimeoutMs} ms`)));
  }

  get state(): ConnectionState {
    return this.#machine.state;
  }

  get isConnected(): boolean {
    return this.#outbox !== undefined;
  }

  /** The server's, once it has said so. */
  get messageBytesMax(): number {
    return this.#limits?.messageBytesMax ?? Number.POSITIVE_INFINITY;
  }

  start(): void {
    this.#endWake ??= onWake(() => this.#wake());
    this.#next(this.#machine.start());
    this.#announceState();
  }

  /** Ends for good. Resolves when the other side has been told, or after a second. */
  async stop(reason: Reason): Promise<void> {
    if (this.state.status === 'disconnected') return;
    const session = this.#session;
    this.#forgetSession();
    this.#machine.stop(reason);
    this.#ended();
    await session?.close();
  }

  /** For connected links only: what is not sent when the connection ends is not sent. */
  send(frame: Uint8Array): void {
    this.#outbox?.push(frame);
  }

  /** Sends now or not at all. */
  sendVolatile(frame: Uint8Array): boolean {
    if (this.#outbox === undefined || (this.#session?.bufferedBytes ?? 0) > this.#settings.sendBufferBytesMax) return false;
    return frame.length <= this.messageBytesMax && this.#outbox.offer(frame);
  }

  /** The server wants less of us for a while. */
  pause(ms: number): void {
    this.#outbox?.pause(ms);
  }

  /** Should the connection end now, the next attempt is not before. */
  retryAfter(ms: number): void {
    this.#machine.retryAfter(ms);
  }

  #next(step: NextStep): void {
    if (step.kind === 'wait') this.#attemptTimer.set(step.untilMs - nowMs());
    if (step.kind !== 'dial') return;
    this.#attemptTimer.clear();
    this.#connectTimer.set(this.#settings.connectTimeoutMs);
    void this.#dial(step.url, ++this.#attempt);
    this.#announceState();
  }

  async #dial(url: string, attempt: number): Promise<void> {
    let token: string | undefined;
    let WebSocket: WebSocketConstructor;
    try {
      [token, WebSocket] = await Promise.all([getToken(this.#settings.token), findWebSocket(this.#settings.WebSocket)]);
      if (attempt !== this.#attempt) return;
      this.#open(WebSocket, url, token);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      const code = error instanceof UnauthorizedError ? CLOSE_CODES.unauthorized : ABNORMAL_CLOSURE;
      this.#lost({ code, text: `cannot connect: ${error instanceof Error ? error.message : String(error)}` });
    }
  }

  #open(WebSocket: WebSocketConstructor, url: string, token: string | undefined): void {
    const session: Session = new Session(WebSocket, url, {
      opened: () => {
        this.#connectSentAtMs = nowMs();
        const compression = this.#settings.compression && canInflate() ? 'deflate-raw' : undefined;
        this.#write(session, { type: 'connect', id: CONNECT_ID, token, compression });
      },
      heard: (bytes) => {
        this.#counters.framesIn++;
        this.#counters.bytesIn += bytes;
        this.#liveness?.heard();
      },
      message: (message) => this.#message(session, message),
      ended: (reason) => this.#lost(reason),
    });
    this.#session = session;
  }

  #message(session: Session, message: ServerMessage): void {
    switch (message.type) {
      case 'connected':
        return this.#connected(session, message);
      case 'pong':
        if (message.t !== undefined) this.clock.add(message.t, nowMs(), message.serverTimeMs);
        return;
      case 'closing':
        return this.#machine.closing(message);
      case 'error':
        if (message.id === CONNECT_ID) return this.#refused(message);
    }
    this.#events.message(message);
  }

  #connected(session: Session, message: ServerMessage<'connected'>): void {
    this.#connectTimer.clear();
    if (message.nodeId !== this.#nodeId) this.clock.reset();
    this.#nodeId = message.nodeId;
    this.clock.add(this.#connectSentAtMs, nowMs(), message.serverTimeMs);
    this.#limits = message.limits;
    this.#outbox = new Outbox(message.limits, (frame) => {
      this.#counters.bytesOut += frame.length;
      session.send(frame);
    });
    this.#liveness = new Liveness(message.pingIntervalMs, Math.min(this.#settings.pongTimeoutMs, message.pingIntervalMs), nowMs());
    this.#machine.connected(message, nowMs());
    this.#pollLiveness();
    this.#events.connected(message);
    this.#announceState();
  }

  /** The answer to `connect` was an error; the close that follows says less. */
  #refused({ code, message, retryAfterMs }: ServerMessage<'error'>): void {
    if (retryAfterMs !== undefined) this.retryAfter(retryAfterMs);
    // A function can get another token; a text stays as it is.
    const renewable = code === 'token_expired' && typeof this.#settings.token === 'function';
    const final = code === 'token_expired' || code === 'unauthorized' || code === 'forbidden';
    const closeCode = renewable ? CLOSE_CODES.tokenExpired : final ? CLOSE_CODES.unauthorized : CLOSE_CODES.serverError;
    this.#lost({ code: closeCode, text: `${code}: ${message}` });
  }

  #lost(reason: Reason): void {
    if (this.state.status === 'disconnected') return;
    const wasConnected = this.isConnected;
    this.#session?.drop();
    this.#forgetSession();
    if (wasConnected) this.#counters.disconnects++;
    const step = this.#machine.lost(reason, nowMs());
    if (step.kind === 'rest') return this.#ended();
    this.#next(step);
    if (wasConnected) this.#events.disconnected();
    this.#announceState();
  }

  #forgetSession(): void {
    this.#attempt++;
    this.#session = undefined;
    this.#outbox?.stop();
    this.#outbox = undefined;
    this.#liveness = undefined;
    this.#attemptTimer.clear();
    this.#connectTimer.clear();
    this.#livenessTimer.clear();
  }

  #ended(): void {
    this.#endWake?.();
    this.#endWake = undefined;
    const { state } = this;
    if (state.status === 'disconnected') this.#events.stopped(state.reason);
    this.#announceState();
  }

  #announceState(): void {
    if (this.state === this.#announced) return;
    this.#announced = this.state;
    this.#events.stateChanged(this.state);
  }

  #wake(): void {
    this.#next(this.#machine.wake(nowMs()));
    this.#liveness?.probe(nowMs());
    if (this.#liveness !== undefined) this.#pollLiveness();
  }

  #pollLiveness(): void {
    if (this.#session === undefined || this.#liveness === undefined) return;
    const { action, nextAtMs } = this.#liveness.poll(nowMs());
    if (action === 'dead') return this.#session.abandon('the server did not answer two pings');
    // Past the outbox: a ping that waits behind others would say nothing about the connection.
    if (action === 'ping') this.#write(this.#session, { type: 'ping', t: nowMs() });
    this.#livenessTimer.set(nextAtMs - nowMs());
  }

  #write(session: Session, message: Outgoing): void {
    const frame = encodeMessage(message);
    this.#counters.bytesOut += frame.length;
    session.send(frame);
  }
}

export async function getToken(source: TokenSource | undefined): Promise<string | undefined> {
  return typeof source === 'function' ? await source() : source;
}

function abnormal(text: string): Reason {
  return { code: ABNORMAL_CLOSURE, text };
}
