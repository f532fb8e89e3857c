import { REPLACED, SERVER_ERROR, TOKEN_EXPIRED, TOKEN_REVOKED, UNAUTHORIZED } from '../protocol/close-codes.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { messageOf } from '../protocol/thrown.ts';
import { ClockEstimate, nowMs } from './clock.ts';
import { encodeMessage, type Outgoing } from './codec.ts';
import { ConnectionMachine, type NextStep } from './connection-machine.ts';
import { BugError, UnauthorizedError } from './errors.ts';
import { Liveness } from './liveness.ts';
import { getToken, type Settings } from './options.ts';
import { Outbox } from './outbox.ts';
import { Session, type SessionEvents } from './session.ts';
import { ABNORMAL_CLOSURE, abnormal, type ConnectionState, type Feed, feedOf, LIVE, type Reason } from './state.ts';
import type { Counters } from './stats.ts';
import { Timer } from './timer.ts';
import { onWake } from './wake.ts';
import { findWebSocket, type WebSocketConstructor } from './websocket.ts';

export interface ConnectionEvents {
  stateChanged(state: ConnectionState): void;
  connected(message: ServerMessage<'connected'>): void;
  /** The connection was lost. Another attempt follows, unless {@link ConnectionEvents.stopped} is called. */
  disconnected(): void;
  /** No more attempts are made. */
  stopped(reason: Reason): void;
  feedChanged(feed: Feed): void;
  /** The estimate of the server's clock was reset. */
  clockChanged(): void;
  /** All messages except those that maintain the connection. */
  message(message: ServerMessage): void;
}

/** Wire id of `connect`. Other commands have ids from 1. */
const CONNECT_ID = 0;

/** Keeps one connection to one of the URLs. It executes the decisions of {@link ConnectionMachine} with sockets and timers. */
export class Connection {
  readonly clock = new ClockEstimate();
  /** When the last byte arrived; 0: none yet. */
  heardAtMs = 0;
  /** What the server last reported about its broker. */
  feed: Feed = LIVE;
  readonly #settings: Settings;
  readonly #events: ConnectionEvents;
  readonly #counters: Counters;
  readonly #machine: ConnectionMachine;
  readonly #attemptTimer = new Timer(() => this.#next(this.#machine.due()));
  readonly #connectTimer: Timer;
  readonly #livenessTimer = new Timer(() => this.#pollLiveness());
  /** Counts attempts, so that late events of an earlier one can be ignored. */
  #attempt = 0;
  #session: Session | undefined;
  #outbox: Outbox | undefined;
  #liveness: Liveness | undefined;
  #limits: ServerMessage<'connected'>['limits'] | undefined;
  #connectSentAtMs = 0;
  #sessionFeed: Feed = LIVE;
  #endWake: (() => void) | undefined;
  #announced: ConnectionState | undefined;

  constructor(settings: Settings, counters: Counters, events: ConnectionEvents) {
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

  /** Another one for each connection. */
  get session(): object | undefined {
    return this.#session;
  }

  /** The server's limit, once it is known. */
  get messageBytesMax(): number {
    return this.#limits?.messageBytesMax ?? Number.POSITIVE_INFINITY;
  }

  /** The server's limit, once it is known. */
  get topicsMax(): number {
    return this.#limits?.topicsMax ?? Number.POSITIVE_INFINITY;
  }

  start(): void {
    this.#endWake ??= onWake(() => this.#wake());
    this.#next(this.#machine.start());
    this.#announceState();
  }

  /** Ends permanently. Resolves when the other side has been told, or after a second. */
  async stop(reason: Reason): Promise<void> {
    if (this.state.status === 'disconnected') return;
    const session = this.#session;
    this.#forgetSession();
    this.#machine.stop(reason);
    this.#ended();
    await session?.close();
  }

  /** Only while connected. What has not been sent when the connection ends is dropped. @param command what the frame says: subscribes are sent together */
  send(frame: Uint8Array, command?: Outgoing): void {
    this.#outbox?.push(frame, command);
  }

  /** Sends now or not at all. */
  sendVolatile(frame: Uint8Array): boolean {
    if (this.#outbox === undefined || (this.#session?.bufferedBytes ?? 0) > this.#settings.sendBufferBytesMax) return false;
    return frame.length <= this.messageBytesMax && this.#outbox.offer(frame);
  }

  /** The server requested that less is sent for a while. */
  pause(ms: number): void {
    this.#outbox?.pause(ms);
  }

  /** If the connection ends now, the next attempt is not made earlier than this. */
  retryAfter(ms: number): void {
    this.#machine.retryAfter(ms);
  }

  #next(step: NextStep): void {
    if (step.kind === 'wait') return this.#wait(step.untilMs);
    if (step.kind !== 'dial') return;
    this.#attemptTimer.clear();
    this.#connectTimer.set(this.#settings.connectTimeoutMs);
    void this.#dial(step.url, ++this.#attempt);
    this.#announceState();
  }

  #wait(untilMs: number): void {
    try {
      this.#attemptTimer.set(untilMs - nowMs());
    } catch (error) {
      if (!(error instanceof BugError)) throw error;
      // Shown in the state, instead of attempts without a pause.
      this.#machine.stop(abnormal(error.message));
      this.#ended();
    }
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
      const code = error instanceof UnauthorizedError ? UNAUTHORIZED : ABNORMAL_CLOSURE;
      this.#lost({ code, text: `cannot connect: ${messageOf(error)}` });
    }
  }

  #open(WebSocket: WebSocketConstructor, url: string, token: string | undefined): void {
    // Every connection starts as live. The server may report otherwise before `connected`.
    this.#sessionFeed = LIVE;
    const { unpacker } = this.#settings;
    const events: SessionEvents = {
      opened: () => {
        this.#connectSentAtMs = nowMs();
        this.#write(session, { type: 'connect', id: CONNECT_ID, token, compression: unpacker && 'deflate-raw' });
      },
      heard: (bytes) => {
        this.#counters.framesIn++;
        this.#counters.bytesIn += bytes;
        this.heardAtMs = nowMs();
        this.#liveness?.heard();
      },
      message: (message) => this.#message(session, message),
      ended: (reason) => this.#lost(reason),
    };
    const session = new Session(WebSocket, url, events, unpacker);
    this.#session = session;
  }

  #message(session: Session, message: ServerMessage): void {
    switch (message.type) {
      case 'connected':
        return this.#connected(session, message);
      case 'pong':
        if (message.t !== undefined && this.clock.add(message.t, nowMs(), message.serverTimeMs)) this.#events.clockChanged();
        return;
      case 'feed':
        if (message.topic !== undefined) break;
        this.#sessionFeed = feedOf(message);
        if (this.isConnected) this.#changeFeed(this.#sessionFeed);
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
    const { pingIntervalMs } = message;
    if (!(pingIntervalMs > 0)) return session.abandon(`the server pings every ${pingIntervalMs} ms`);
    this.clock.reset();
    this.clock.add(this.#connectSentAtMs, nowMs(), message.serverTimeMs);
    this.#limits = message.limits;
    this.#outbox = new Outbox(message.limits, (frame) => {
      this.#counters.bytesOut += frame.length;
      session.send(frame);
    });
    this.#liveness = new Liveness(pingIntervalMs, Math.min(this.#settings.pongTimeoutMs, pingIntervalMs), nowMs());
    this.#machine.connected(message, nowMs());
    this.#pollLiveness();
    this.#events.connected(message);
    this.#announceState();
    this.#changeFeed(this.#sessionFeed);
  }

  #changeFeed(feed: Feed): void {
    if (feed.live === this.feed.live && feed.reason === this.feed.reason) return;
    this.feed = feed;
    this.#events.feedChanged(feed);
  }

  /** The answer to `connect` was an error. The close frame that follows has less information. */
  #refused({ code, message, retryable, retryAfterMs, service }: ServerMessage<'error'>): void {
    if (retryAfterMs !== undefined) this.retryAfter(retryAfterMs);
    // A function can get another token; a text stays the same. What the server will never accept (for example a token that is too long) is not retried.
    const renewable = code === 'token_expired' && typeof this.#settings.token === 'function';
    const revoked = code === 'token_revoked' ? TOKEN_REVOKED : UNAUTHORIZED;
    const refused = code === 'too_many_connections' ? REPLACED : revoked;
    // With which code the server closes. A hook's codes are its own.
    const final = service ? UNAUTHORIZED : refused;
    this.#lost({ code: renewable ? TOKEN_EXPIRED : retryable ? SERVER_ERROR : final, text: `${code}: ${message}` });
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
    // Not through the outbox: a ping that waits behind other messages would not measure the connection.
    if (action === 'ping') this.#write(this.#session, { type: 'ping', t: nowMs() });
    this.#livenessTimer.set(nextAtMs - nowMs());
  }

  #write(session: Session, message: Outgoing): void {
    const frame = encodeMessage(message);
    this.#counters.bytesOut += frame.length;
    session.send(frame);
  }
}
