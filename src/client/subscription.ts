import type { Position, ServerMessage, Stale } from '../protocol/messages.ts';
import { backoffDelayMs } from './backoff.ts';
import { Deliverer } from './deliverer.ts';
import { Emitter } from './emitter.ts';
import { type CommandError, DisconnectedError, type StentorError } from './errors.ts';
import type { Item, Lagged, Resync, Subscribed } from './item.ts';
import { PositionTracker, type Step } from './position-tracker.ts';
import type { NewPresence, PresenceChange } from './presence-types.ts';
import { feedOf, LIVE } from './state.ts';
import { subscribeRequest } from './subscribe-request.ts';
import { Timer } from './timer.ts';
import { TopicStatus } from './topic-status.ts';
import type { Join, Liveness, SubscribeOptions, SubscriptionHost } from './topic-types.ts';

/** What the server sends about a topic, unasked. */
export type TopicMessage = ServerMessage<'batch' | 'part' | 'resync' | 'lagged' | 'feed' | 'status' | 'presence'>;

export interface SubscriptionEvents<T> {
  item: Item<T>;
  resync: Resync<T>;
  lagged: Lagged;
  subscribed: Subscribed;
  live: Liveness;
  stale: Stale | undefined;
  presence: PresenceChange;
  error: StentorError;
  /** The last event, with the error if there was one. */
  end: StentorError | undefined;
}

/** Number of publications that are requested at once to fill a gap. */
const GAP_LIMIT = 1000;

/** The one subscription of a connection to a topic, shared by all its listeners. It survives reconnects, until the last listener leaves or it ends. */
export class Subscription<T = unknown> {
  readonly name: string;
  readonly options: SubscribeOptions;
  readonly events = new Emitter<SubscriptionEvents<T>>();
  readonly status: TopicStatus;
  readonly delivered: Deliverer<T>;
  isEnded = false;
  readonly #host: SubscriptionHost;
  readonly #tracker: PositionTracker;
  readonly #join: Join | undefined;
  readonly #retryTimer = new Timer(() => this.resubscribe());
  /** Number of topics that share it. */
  #topics = 0;
  /** The server has answered once: further listeners join later. */
  #answered = false;
  #refusals = 0;
  /** Counts streams, so that an answer to an earlier one can be ignored. */
  #turn = 0;
  /** A stream has begun, and the rest of what was missed, or of the state, up to this offset is still arriving. */
  #beginning: Subscribed | undefined;
  /** The last stream that has begun. */
  #begun: Subscribed | undefined;
  readonly #track: ReturnType<NewPresence> | undefined;
  #presence: PresenceChange | undefined;

  constructor(name: string, options: SubscribeOptions, host: SubscriptionHost) {
    this.name = name;
    this.options = options;
    this.#host = host;
    this.status = new TopicStatus(this.events, host.connection);
    this.delivered = new Deliverer(this, host);
    this.#tracker = new PositionTracker(host.settings.holdItemsMax, options.since);
    this.#join = options.join?.();
    this.#track = options.track?.();
  }

  /** What was last told of it, for who comes late. */
  get presence(): PresenceChange | undefined {
    return this.#presence && { ...this.#presence, joined: [], left: [] };
  }

  /** A new listener begins with {@link state}. */
  get hasState(): boolean {
    return this.#answered && this.delivered.state !== undefined;
  }

  /** The current state, for a listener that joins later. Undefined if it is too large to be kept. */
  get state(): readonly Item<T>[] | undefined {
    return this.delivered.state?.items();
  }

  /** The last stream that has begun, with the current position. */
  get begun(): Subscribed | undefined {
    return this.#begun && { ...this.#begun, ...this.delivered.position };
  }

  /** Another topic shares it. */
  joined(): void {
    this.#topics++;
  }

  /** When the last topic leaves, it unsubscribes. */
  left(): void {
    if (--this.#topics > 0 || this.isEnded) return;
    this.#end();
    const { connection, settings, ask } = this.#host;
    if (connection.isConnected)
      void ask({ type: 'unsubscribe', topic: this.name, key: this.options.key }, { timeoutMs: settings.requestTimeoutMs });
  }

  /** Sends `subscribe`, with the position of what was missed. Called when there is a connection. */
  resubscribe(): void {
    const { connection, settings, ask } = this.#host;
    if (this.isEnded || !connection.isConnected) return;
    this.#retryTimer.clear();
    this.#tracker.interrupted();
    const turn = ++this.#turn;
    const since = this.#tracker.position;
    const onAnswer = (answer: ServerMessage<'subscribed'>) => {
      if (turn !== this.#turn) return;
      this.#refusals = 0;
      this.#answered = true;
      const { epoch, offset, recovered, rateHz, state, upTo = offset } = answer;
      this.#beginning = { topic: this.name, epoch, offset: upTo, recovered, rateHz, state };
      this.status.feed = LIVE;
      this.status.setStale(answer.stale);
      this.#apply(this.#tracker.subscribed(answer, since));
    };
    ask(subscribeRequest(this.name, this.options, since), { timeoutMs: settings.requestTimeoutMs, onAnswer }).catch(
      (error: StentorError) => {
        if (turn === this.#turn) this.#refused(error);
      },
    );
  }

  disconnected(): void {
    this.#turn++;
    this.#beginning = undefined;
    this.#retryTimer.clear();
    this.#tracker.interrupted();
    this.tellLiveness();
  }

  /** Messages with this topic's name. */
  receive(message: TopicMessage): void {
    const tracker = this.#tracker;
    const { counters, observeLatency } = this.#host;
    switch (message.type) {
      case 'batch':
        counters.conflated += message.conflated ?? 0;
        observeLatency(message.sentAtMs, message.items.length);
        return this.#apply(tracker.batch(message));
      case 'part': {
        const whole = this.#join?.(message);
        return whole && this.receive(whole);
      }
      case 'resync': {
        const { epoch, offset, upTo = offset } = message;
        // A stream that was beginning begins with this state instead.
        if (this.#beginning !== undefined) this.#beginning = { ...this.#beginning, epoch, offset: upTo, recovered: false };
        return this.#apply(tracker.resync(message));
      }
      case 'presence':
        this.#presence = this.#track?.(message);
        return this.#presence && this.events.emit('presence', this.#presence);
      case 'status':
        return this.status.setStale(message.stale ? (message as Stale) : undefined);
      case 'feed':
        this.status.feed = feedOf(message);
        return this.tellLiveness();
      case 'lagged': {
        const { policy, skipped, offset } = message;
        counters.lagged += skipped;
        this.events.emit('lagged', { topic: this.name, policy, skipped });
        if (policy === 'skip' && offset !== undefined) this.#apply(tracker.skippedTo(offset));
      }
    }
  }

  /**
   * Ends the subscription and tells every listener why.
   * @param error undefined: the client was closed by the application
   * @param quietly do not report the error elsewhere if there is no listener
   */
  end(error: StentorError | undefined, quietly = false): void {
    if (this.isEnded) return;
    this.#end();
    const { events } = this;
    if (error !== undefined && events.has('error')) events.emit('error', error);
    else if (error !== undefined && !quietly) this.#host.reportError(error);
    events.emit('end', error);
  }

  /** The feed of the connection, or of the topic, or the stream, has changed. */
  tellLiveness(): void {
    this.status.tellLiveness(this.#begun !== undefined && this.#beginning === undefined && !this.#tracker.isAwaiting);
  }

  #apply({ deliveries, next, duplicates }: Step): void {
    this.#host.counters.duplicates += duplicates;
    // Before the callbacks: they may end the subscription, and then the answer is not needed.
    if (next === 'resubscribe') this.resubscribe();
    if (next === 'askHistory') this.#askHistory();
    for (const delivery of deliveries) if (!this.isEnded) this.delivered.deliver(delivery);
    if (!this.isEnded) this.#tellBegun();
  }

  /** Emits `subscribed` when all of what was missed, or of the state, has been delivered, or its log was reset meanwhile. */
  #tellBegun(): void {
    const begun = this.#beginning;
    const { position } = this.#tracker;
    if (begun === undefined || (position?.epoch === begun.epoch && position.offset < begun.offset)) return;
    this.#beginning = undefined;
    this.#begun = begun;
    this.events.emit('subscribed', begun);
    if (!this.isEnded) this.tellLiveness();
  }

  #askHistory(): void {
    const turn = this.#turn;
    const tracker = this.#tracker;
    const { counters, settings, ask } = this.#host;
    counters.gaps++;
    const { key, timestamps, fields, filter, fold } = this.options;
    const since = tracker.position as Position;
    // What a history has of keys with documents is no position to go on from.
    if (fold && !this.delivered.folded.has(null)) return this.#apply(tracker.historyFailed(since));
    const request = { type: 'history', topic: this.name, key, since, limit: GAP_LIMIT, timestamps, fields, filter } as const;
    const onPart = (answer: ServerMessage<'history'>) => {
      if (turn === this.#turn) this.#apply(tracker.history(answer, since));
    };
    ask(request, { timeoutMs: settings.requestTimeoutMs, onAnswer: onPart, onPart }).catch((error: StentorError) => {
      if (turn !== this.#turn) return;
      const pauseMs = retryAfterMsOf(error);
      const step = tracker.historyFailed(since);
      if (pauseMs === undefined || step.next !== 'resubscribe') return this.#apply(step);
      this.#retryTimer.set(pauseMs);
    });
  }

  #refused(error: StentorError): void {
    if (error.code === 'connection_lost' || error instanceof DisconnectedError) return;
    if (!error.retryable) return this.end(error);
    this.#retryTimer.set(retryAfterMsOf(error) ?? backoffDelayMs(this.#refusals, this.#host.settings.backoff, Math.random()));
    this.#refusals++;
  }

  #end(): void {
    this.disconnected();
    this.isEnded = true;
    this.#host.deactivate(this as Subscription);
  }
}

function retryAfterMsOf(error: StentorError): number | undefined {
  return (error as Partial<CommandError>).retryAfterMs;
}
