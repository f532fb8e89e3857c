import type { ServerMessage } from '../protocol/messages.ts';
import { assertFields, assertTopic, unexpected } from './check.ts';
import type { CallOptions, ClientEvents } from './client-types.ts';
import { encodeMessage } from './codec.ts';
import { Connection } from './connection.ts';
import { statesFrom, whenConnected } from './connection-states.ts';
import { Emitter } from './emitter.ts';
import { disconnectedError, type StentorError } from './errors.ts';
import { receive } from './incoming.ts';
import type { History } from './item.ts';
import { Meter } from './meter.ts';
import { type ClientOptions, readOptions, type Settings } from './options.ts';
import { handled, warn } from './platform.ts';
import { type Presence, toPresence } from './presence-types.ts';
import { type OutgoingPublication, type PublishAck, Publisher, type PublishOptions } from './publisher.ts';
import { readHistory } from './read-history.ts';
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

  /** Does not connect yet. @throws InvalidError */
  constructor(options: ClientOptions) {
    const settings = readOptions(options);
    const events = this.#events;
    const meter = new Meter(settings.statsIntervalMs, () => events.emit('stats', this.#stats(true)));
    const { counters } = meter;
    const reportError = (error: unknown) => {
      if (events.has('error')) events.emit('error', error as StentorError);
      // Without a listener the application would not see the refusal.
      else warn('stentor:', error);
    };
    const connection = new Connection(settings, counters, {
      stateChanged: (state) => {
        this.#runMeter();
        events.emit('state', state);
      },
      connected: (message) => this.#connected(message),
      disconnected: () => this.#disconnected(),
      stopped: (reason) => this.#stopped(reason),
      feedChanged: (feed) => {
        events.emit('feed', feed);
        topics.feedChanged();
      },
      clockChanged: () => refresher.clockChanged(),
      message: (message) => receive(receivers, message),
    });
    let lastId = 0;
    const nextId = () => ++lastId;
    const requests = new Requests(connection, settings.requestsMax, nextId);
    const publisher = new Publisher(connection, settings.publish, counters, nextId);
    const refresher = new TokenRefresher(settings, requests, connection.clock, reportError);
    const topics = new Topics({
      client: this,
      connection,
      settings,
      counters,
      ask: (request, askOptions) => requests.ask(request, askOptions),
      observeLatency: (sentAtMs, items) => meter.observeLatency(sentAtMs, items, connection.clock),
      reportError,
    });
    const receivers = { connection, events, topics, requests, publisher, reportError };
    this.#settings = settings;
    this.#meter = meter;
    this.#connection = connection;
    this.#requests = requests;
    this.#publisher = publisher;
    this.#refresher = refresher;
    this.#topics = topics;
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
    return statesFrom(this.#events, this.state);
  }

  /**
   * Connects, if it is not connected; also after the server has refused the client permanently.
   * @returns resolves when connected; rejects with a DisconnectedError when the client stops trying
   */
  connect(): Promise<void> {
    if (this.state.status === 'disconnected') this.#connection.start();
    return whenConnected(this.#events, this.state);
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
   * Many topics (a watchlist), with the same options, or with options that a function returns for each. A name that comes twice is one topic.
   * @throws InvalidError as {@link topic}, and if `names` is not a list
   */
  topics<T = unknown>(names: Iterable<string>, options?: TopicOptions<T> | ((name: string) => TopicOptions<T>)): TopicList<T> {
    if (typeof names === 'string' || !names?.[Symbol.iterator]) throw unexpected('topics', names, 'a list');
    return new TopicList(Array.from(new Set(names), (name) => this.topic(name, typeof options === 'function' ? options(name) : options)));
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
      const answer = await this.#ask(request, { timeoutMs: timeoutMs + CALL_MARGIN_MS, isStrict: true, signal });
      return answer.data as R;
    });
  }

  /** Reads a topic's log: everything after `since`, or the last publications. */
  history<T = unknown>(topic: string, options: HistoryOptions = {}): Promise<History<T>> {
    return handled(() => readHistory<T>((request, how) => this.#ask(request, how), topic, options, this.#settings.requestTimeoutMs));
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
    this.#topics.endAll();
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
    this.#topics.endAll(error);
    this.#requests.failAll(error);
    this.#publisher.failAll(error.message);
  }
}
