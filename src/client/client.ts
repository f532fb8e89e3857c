import type { ServerMessage } from '../protocol/messages.ts';
import { isTopicOrPattern } from '../protocol/topic.ts';
import { AsyncQueue } from './async-queue.ts';
import { type CallHandler, CallHandlers } from './call-handlers.ts';
import { assertFields, assertTopic, unexpected } from './check.ts';
import type { CallOptions, ClientEvents } from './client-types.ts';
import { nowMs } from './clock.ts';
import { encodeMessage } from './codec.ts';
import { Connection } from './connection.ts';
import { callSafely, Emitter } from './emitter.ts';
import { CommandError, disconnectedError, type StentorError } from './errors.ts';
import { type History, toItems } from './item.ts';
import { Meter } from './meter.ts';
import { type ClientOptions, readOptions, type Settings } from './options.ts';
import { handled, warn } from './platform.ts';
import { type Presence, toPresence } from './presence.ts';
import { type OutgoingPublication, type PublishAck, Publisher, type PublishOptions } from './publisher.ts';
import { type AnswerTo, type AskOptions, type Request, Requests } from './requests.ts';
import { type ConnectionState, type Feed, NORMAL_CLOSURE, type Reason } from './state.ts';
import type { Stats } from './stats.ts';
import { TokenRefresher } from './token-refresher.ts';
import type { Topic } from './topic.ts';
import { TopicList } from './topic-list.ts';
import type { HistoryOptions, TopicOptions } from './topic-types.ts';
import { Topics } from './topics.ts';
import { UserTopic } from './user-topic.ts';

const CALL_TIMEOUT_MS = 5000;
/** The server answers within the call's time; this is added for the transfer. */
const CALL_MARGIN_MS = 1000;

/** One connection to a Stentor cluster, which reconnects by itself, and the topics, publishes and calls on it. */
export class Client {
  readonly #settings: Settings;
  readonly #events = new Emitter<ClientEvents>();
  readonly #meter: Meter;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #publisher: Publisher;
  readonly #refresher: TokenRefresher;
  readonly #topics: Topics;
  readonly #handlers = new CallHandlers();
  #lastId = 0;

  /** Does not connect yet. @throws InvalidError */
  constructor(options: ClientOptions) {
    const settings = readOptions(options);
    this.#settings = settings;
    this.#meter = new Meter(settings.statsIntervalMs, () => this.#events.emit('stats', this.#stats(true)));
    const { counters } = this.#meter;
    this.#connection = new Connection(settings, counters, {
      stateChanged: (state) => this.#stateChanged(state),
      connected: (message) => this.#connected(message),
      disconnected: () => this.#disconnected(),
      stopped: (reason) => this.#stopped(reason),
      feedChanged: (feed) => this.#feedChanged(feed),
      clockChanged: () => this.#refresher.clockChanged(),
      message: (message) => this.#message(message),
    });
    const nextId = () => ++this.#lastId;
    this.#requests = new Requests(this.#connection, settings.requestsMax, nextId);
    this.#publisher = new Publisher(this.#connection, settings.publish, counters, nextId);
    this.#refresher = new TokenRefresher({
      token: settings.token,
      refresh: (token) => this.#requests.ask({ type: 'refresh', token }, { timeoutMs: settings.requestTimeoutMs }),
      serverNowMs: () => nowMs() + (this.#connection.clock.offsetMs ?? 0),
      onError: (error) => this.#reportError(error),
    });
    const connection = this.#connection;
    this.#topics = new Topics({
      get isConnected() {
        return connection.isConnected;
      },
      get feed() {
        return connection.feed;
      },
      get topicsMax() {
        return connection.topicsMax;
      },
      stateKeysMax: settings.stateKeysMax,
      counters,
      holdItemsMax: settings.holdItemsMax,
      requestTimeoutMs: settings.requestTimeoutMs,
      backoff: settings.backoff,
      ask: (request, askOptions) => this.#requests.ask(request, askOptions),
      publish: (topic, data, publishOptions) => this.publish(topic, data, publishOptions),
      history: (topic, historyOptions) => this.history(topic, historyOptions),
      presence: (topic) => this.presence(topic),
      observeLatency: (sentAtMs, items) => this.#meter.observeLatency(sentAtMs, items, connection.clock),
      reportError: (error) => this.#reportError(error),
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /**
   * Whether the connected server has its broker. While it has not, `live` is false: subscriptions stay, and nothing arrives. Without a connection: as of the
   * last one.
   */
  get feed(): Feed {
    return this.#connection.feed;
  }

  /** @returns a function that stops listening @throws InvalidError if the listener is not a function */
  on<K extends keyof ClientEvents>(name: K, listener: (event: ClientEvents[K]) => void): () => void {
    assertFields({ listener: listener ?? null });
    const stop = this.#events.on(name, listener);
    this.#runMeter();
    return () => {
      stop();
      this.#runMeter();
    };
  }

  /** Yields the current state and every change, until the client stops trying to connect. A slow reader misses intermediate states, never the last one. */
  states(): AsyncIterableIterator<ConnectionState> {
    let stop = () => {};
    const states = new AsyncQueue<ConnectionState>({ bufferMax: 16, onFull: 'dropOldest' }, 0, () => stop());
    states.push(this.state);
    stop = this.#events.on('state', (state) => {
      states.push(state);
      if (state.status === 'disconnected') states.end();
    });
    return states;
  }

  /**
   * Connects, if it is not connected; also after the server has refused the client permanently.
   * @returns resolves when connected; rejects with a DisconnectedError when the client stops trying
   */
  connect(): Promise<void> {
    if (this.state.status === 'disconnected') this.#connection.start();
    const connected = new Promise<void>((resolve, reject) => {
      const check = (state: ConnectionState): boolean => {
        if (state.status === 'connected') resolve();
        else if (state.status === 'disconnected') reject(disconnectedError(state.reason));
        else return false;
        return true;
      };
      if (check(this.state)) return;
      const stop = this.#events.on('state', (state) => {
        if (check(state)) stop();
      });
    });
    connected.catch(() => {});
    return connected;
  }

  /**
   * A topic, to subscribe to or to publish to. Topics with the same name share one subscription, which has the options of the first subscriber. Topics with the
   * same options join it; {@link Topic.subscribe} refuses other options. Without options it joins any subscription.
   * @throws InvalidError for an invalid topic, and for options that the server would not accept
   */
  topic<T = unknown>(name: string, options?: TopicOptions<T>): Topic<T> {
    return this.#topics.get(name, options);
  }

  /** The topic of the token's user: `client.user().subscribe(…)`. */
  user<T = unknown>(options?: TopicOptions<T>): UserTopic<T> {
    return new UserTopic(this, options);
  }

  /**
   * Many topics (a watchlist), with the same options, or with options that a function returns for each.
   * @throws InvalidError as {@link topic}, and if `names` is not a list
   */
  topics<T = unknown>(names: Iterable<string>, options?: TopicOptions<T> | ((name: string) => TopicOptions<T>)): TopicList<T> {
    if (typeof (names ?? 0) !== 'object') throw unexpected('topics', names, 'a list');
    return new TopicList(Array.from(names, (name) => this.topic(name, typeof options === 'function' ? options(name) : options)));
  }

  /**
   * Publishes. Without a connection it waits for one, in a bounded queue.
   * @returns resolves when the log has stored it; rejects with CommandError (refused), OutcomeUnknownError, TimeoutError (never sent), QueueFullError,
   * DroppedError, DisconnectedError, BadValueError, InvalidError
   */
  publish<T = unknown>(topic: string, data: T, options: PublishOptions = {}): Promise<PublishAck> {
    return handled(async () => {
      assertTopic(topic);
      this.#assertStarted();
      return await this.#publisher.publish(topic, data, options);
    });
  }

  /** Publishes many, each with its own outcome, in their order. They go to the server in few messages. */
  publishMany(publications: Iterable<OutgoingPublication>): Promise<PromiseSettledResult<PublishAck>[]> {
    return Promise.allSettled(Array.from(publications, ({ topic, data, ...options }) => this.publish(topic, data, options)));
  }

  /**
   * Sends now or not at all, without an answer.
   * @returns false if it was not sent: no connection, too fast, too big, or the socket is full
   * @throws BadValueError, InvalidError
   */
  publishVolatile<T = unknown>(
    topic: string,
    data: T,
    { key, echo, volatile, tags }: Omit<PublishOptions, 'idempotencyKey'> = {},
  ): boolean {
    assertTopic(topic);
    // Encoded in any case, so that an invalid value is reported with and without a connection.
    const frame = encodeMessage({ type: 'publish', topic, data: data ?? null, key, echo, volatile, tags });
    const sent = this.#connection.isConnected && this.#connection.sendVolatile(frame);
    if (sent) this.#meter.counters.volatileSent++;
    else this.#meter.counters.volatileDropped++;
    return sent;
  }

  /**
   * Sends a request to the service that answers `method`. It is never sent twice.
   * @returns rejects with CommandError, TimeoutError, ConnectionLostError (it may have been executed), DisconnectedError, BadValueError, InvalidError, or the
   * signal's reason
   */
  call<R = unknown>(method: string, data?: unknown, { timeoutMs = CALL_TIMEOUT_MS, signal }: CallOptions = {}): Promise<R> {
    return handled(async () => {
      assertTopic(method);
      assertFields({ timeoutMs, signal });
      const request = { type: 'call', method, timeoutMs, data } as const;
      const answer = await this.#ask(request, { timeoutMs: timeoutMs + CALL_MARGIN_MS, timeoutFrom: 'question', signal });
      return answer.data as R;
    });
  }

  /**
   * Answers calls of servers to `method` from now on. There is one handler for a method: the last one.
   * @returns a function that stops it @throws InvalidError
   */
  onCall(method: string, handler: CallHandler): () => void {
    assertTopic(method);
    assertFields({ listener: handler ?? null });
    return this.#handlers.set(method, handler);
  }

  /** Reads a topic's log: everything after `since`, or the last publications. */
  history<T = unknown>(topic: string, { signal, onItem, ...range }: HistoryOptions = {}): Promise<History<T>> {
    return handled(async () => {
      assertTopic(topic, isTopicOrPattern);
      assertFields({ signal, onItem });
      const request = { type: 'history', topic, ...range } as const;
      const itemsOf = ({ epoch, items }: ServerMessage<'history'>) => toItems<T>(topic, epoch, items, 'recovered');
      const { requestTimeoutMs: timeoutMs } = this.#settings;
      const onPart = (part: ServerMessage<'history'>) => {
        if (onItem) for (const item of itemsOf(part)) callSafely(onItem, item);
      };
      const each = onItem && { onPart, onAnswer: onPart };
      const answer = await this.#ask(request, { timeoutMs, signal, resend: !onItem, ...each });
      const { epoch, offset, complete, more } = answer;
      return { epoch, offset, complete, more, items: onItem ? [] : itemsOf(answer) };
    });
  }

  /** Who is subscribed to a topic now. Rejects with CommandError `unsupported` where its namespace has no presence. */
  presence(topic: string): Promise<Presence> {
    return handled(async () => {
      assertTopic(topic);
      return toPresence(await this.#ask({ type: 'presence', topic }, { timeoutMs: this.#settings.requestTimeoutMs, resend: true }));
    });
  }

  stats(): Stats {
    return this.#stats(false);
  }

  /** Ends everything: subscriptions, iterations, timers. What waits is rejected. Resolves when the server has been told, or after a second. */
  async close(): Promise<void> {
    this.#topics.close();
    await this.#connection.stop({ code: NORMAL_CLOSURE, text: 'closed by the application' });
  }

  #ask<R extends Request>(request: R, options: AskOptions<AnswerTo<R>>): Promise<AnswerTo<R>> {
    this.#assertStarted();
    return this.#requests.ask(request, options);
  }

  #assertStarted(): void {
    const { state } = this;
    if (state.status === 'disconnected') throw disconnectedError(state.reason);
  }

  #stats(recent: boolean): Stats {
    return this.#meter.stats(this.#connection.clock, this.#publisher.waiting, recent);
  }

  #runMeter(): void {
    this.#meter.run(this.#events.has('stats') && this.state.status !== 'disconnected');
  }

  #stateChanged(state: ConnectionState): void {
    this.#runMeter();
    this.#events.emit('state', state);
  }

  /** Topics first, so that they are subscribed before anything is published. */
  #connected({ expiresAtMs }: ServerMessage<'connected'>): void {
    this.#topics.connected();
    this.#requests.connected();
    this.#publisher.connected();
    this.#refresher.connected(expiresAtMs);
  }

  #disconnected(): void {
    this.#refresher.stop();
    this.#topics.disconnected();
    this.#requests.disconnected();
    this.#publisher.unanswered();
  }

  #stopped(reason: Reason): void {
    const error = disconnectedError(reason);
    this.#disconnected();
    this.#topics.failAll(error);
    this.#requests.failAll(error);
    this.#publisher.failAll(error.message);
  }

  #feedChanged(feed: Feed): void {
    this.#events.emit('feed', feed);
    this.#topics.feedChanged();
  }

  #message(message: ServerMessage): void {
    switch (message.type) {
      case 'batch':
      case 'part':
      case 'resync':
      case 'lagged':
      case 'status':
      case 'feed':
        return this.#topics.receive(message);
      case 'presence':
        if (message.id === undefined) return this.#topics.receive(message);
        return void this.#requests.answered(message.id, message);
      case 'message':
        return this.#events.emit('message', { data: message.data, namespace: message.namespace });
      case 'call':
        return void this.#answer(message);
      case 'error':
        return this.#error(message);
      case 'published':
        return void this.#publisher.answered(message.id, message);
      case 'subscribed':
      case 'unsubscribed':
      case 'result':
      case 'history':
      case 'refreshed':
        return void this.#requests.answered(message.id, message);
    }
  }

  async #answer(call: ServerMessage<'call'>): Promise<void> {
    const asked = this.#connection.session;
    const frame = await this.#handlers.answer(call, this.#connection.messageBytesMax);
    // On another connection the id is none, or that of another call.
    if (this.#connection.session === asked) this.#connection.send(frame);
  }

  #error(message: ServerMessage<'error'>): void {
    const { id, code, service } = message;
    const error = new CommandError(message);
    // Whatever word a service or a hook uses, it is only for the command that it answers.
    const retryAfterMs = service ? undefined : error.retryAfterMs;
    const limited = !service && code === 'rate_limited';
    if (limited) this.#connection.pause(retryAfterMs ?? 1000);
    if (id !== undefined && (this.#publisher.answered(id, message) || this.#requests.answered(id, message))) return;
    if (this.#topics.fail(message, error)) return;
    if (retryAfterMs !== undefined) this.#connection.retryAfter(retryAfterMs);
    // Refused without its id, so any unanswered command may be the one.
    if (limited) this.#publisher.unanswered(retryAfterMs ?? 1000);
    // An answer to a request that has ended is ignored.
    if (id === undefined) this.#reportError(error);
  }

  #reportError(error: unknown): void {
    if (this.#events.has('error')) this.#events.emit('error', error as StentorError);
    // Without a listener the application would not see the refusal.
    else warn('stentor:', error);
  }
}
