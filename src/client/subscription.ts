import type { Position, ServerMessage, Stale, Item as WireItem } from '../protocol/messages.ts';
import { backoffDelayMs } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { type CommandError, DisconnectedError, type StentorError } from './errors.ts';
import { type Item, type Lagged, type Resync, type Subscribed, toItem } from './item.ts';
import { soon } from './platform.ts';
import { type Delivery, PositionTracker, type Step } from './position-tracker.ts';
import { type PresenceChange, PresenceTracker } from './presence.ts';
import { type Feed, LIVE } from './state.ts';
import { Timer } from './timer.ts';
import { TopicState } from './topic-state.ts';
import type { Join, Liveness, SubscribeOptions, SubscriptionHost } from './topic-types.ts';

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
  readonly #host: SubscriptionHost;
  readonly #tracker: PositionTracker;
  /** Only a stream that begins with the state knows the whole state. */
  readonly #state: TopicState<T> | undefined;
  readonly #join: Join | undefined;
  readonly #retryTimer = new Timer(() => this.resubscribe());
  #position: Position | undefined;
  /** By key: the item with the document, or the value, as it is now. */
  readonly #folded = new Map<string | null, Item<T>>();
  #ended = false;
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
  /** What the server reported about this topic only. */
  #feed: Feed = LIVE;
  #liveness: Liveness = { live: false, reason: undefined };
  #stale: Stale | undefined;
  readonly #presenceTracker = new PresenceTracker();
  #presence: PresenceChange | undefined;

  constructor(name: string, options: SubscribeOptions, host: SubscriptionHost) {
    this.name = name;
    this.options = options;
    this.#host = host;
    this.#tracker = new PositionTracker(host.holdItemsMax, options.since);
    this.#state = options.snapshot === true ? new TopicState(host.stateKeysMax) : undefined;
    this.#join = options.join?.();
    this.#position = options.since;
  }

  /** Everything up to here has been delivered. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Undefined: there is none, or it is not asked for. */
  get document(): T | undefined {
    return this.#folded.get(null)?.data;
  }

  get liveness(): Liveness {
    return this.#liveness;
  }

  get stale(): Stale | undefined {
    return this.#stale;
  }

  /** What was last told of it, for who comes late. */
  get presence(): PresenceChange | undefined {
    return this.#presence && { ...this.#presence, joined: [], left: [] };
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** A new listener begins with {@link state}. */
  get hasState(): boolean {
    return this.#answered && this.#state !== undefined;
  }

  /** The current state, for a listener that joins later. Undefined if it is too large to be kept. */
  get state(): readonly Item<T>[] | undefined {
    return this.#state?.isTooLarge === false ? this.#state.items() : undefined;
  }

  /** The last stream that has begun, with the current position. */
  get begun(): Subscribed | undefined {
    return this.#begun && { ...this.#begun, ...this.#position };
  }

  /** Another topic shares it. */
  joined(): void {
    this.#topics++;
  }

  /** When the last topic leaves, it unsubscribes. */
  left(): void {
    if (--this.#topics === 0) this.#unsubscribe();
  }

  /** Sends `subscribe`, with the position of what was missed. Called when there is a connection. */
  resubscribe(): void {
    const { isConnected, requestTimeoutMs: timeoutMs } = this.#host;
    if (this.#ended || !isConnected) return;
    this.#retryTimer.clear();
    this.#tracker.interrupted();
    const turn = ++this.#turn;
    const { key, sinceMs, snapshot, maxRateHz, echo, timestamps, presence, fold, fields, filter } = this.options;
    const since = this.#tracker.position;
    const request = {
      type: 'subscribe',
      topic: this.name,
      key,
      since,
      sinceMs: since ? undefined : sinceMs,
      snapshot,
      maxRateHz,
      echo,
      timestamps,
      presence,
      delta: fold && true,
      parts: this.#join && true,
      fields,
      filter,
    } as const;
    const onAnswer = (answer: ServerMessage<'subscribed'>) => {
      if (turn !== this.#turn) return;
      this.#refusals = 0;
      this.#feed = LIVE;
      this.#answered = true;
      const { epoch, offset, recovered, rateHz, state, upTo = offset } = answer;
      this.#beginning = { topic: this.name, epoch, offset: upTo, recovered, rateHz, state };
      this.#setStale(answer.stale);
      this.#apply(this.#tracker.subscribed(answer, since));
    };
    this.#host.ask(request, { timeoutMs, onAnswer }).catch((error: StentorError) => {
      if (turn === this.#turn) this.#refused(error);
    });
  }

  disconnected(): void {
    this.#turn++;
    this.#beginning = undefined;
    this.#retryTimer.clear();
    this.#tracker.interrupted();
    this.tellLiveness();
  }

  /** Messages with this topic's name. */
  receive(message: ServerMessage<'batch' | 'part' | 'resync' | 'lagged' | 'feed' | 'status' | 'presence'>): void {
    const tracker = this.#tracker;
    switch (message.type) {
      case 'batch':
        this.#host.counters.conflated += message.conflated ?? 0;
        this.#host.observeLatency(message.sentAtMs, message.items.length);
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
        this.#presence = this.#presenceTracker.apply(message);
        return this.events.emit('presence', this.#presence);
      case 'status':
        return this.#setStale(message.stale ? (message as Stale) : undefined);
      case 'feed':
        this.#feed = message.live ? LIVE : { live: false, reason: message.reason };
        return this.tellLiveness();
      case 'lagged': {
        const { policy, skipped, offset } = message;
        this.#host.counters.lagged += skipped;
        this.events.emit('lagged', { topic: this.name, policy, skipped });
        if (policy === 'skip' && offset !== undefined) this.#apply(tracker.skippedTo(offset));
      }
    }
  }

  /** Ends the subscription and tells every listener why. @param quietly do not report the error elsewhere if there is no listener */
  fail(error: StentorError, quietly = false): void {
    if (this.#ended) return;
    this.#end();
    if (this.events.has('error')) this.events.emit('error', error);
    else if (!quietly) this.#host.reportError(error);
    this.events.emit('end', error);
  }

  /** The client was closed by the application. */
  close(): void {
    if (this.#ended) return;
    this.#end();
    this.events.emit('end', undefined);
  }

  #unsubscribe(): void {
    if (this.#ended) return;
    this.#end();
    if (!this.#host.isConnected) return;
    void this.#host.ask({ type: 'unsubscribe', topic: this.name, key: this.options.key }, { timeoutMs: this.#host.requestTimeoutMs });
  }

  #setStale(stale: Stale | undefined): void {
    if (stale?.reason === this.#stale?.reason) return;
    this.#stale = stale && { sinceMs: stale.sinceMs, reason: stale.reason };
    this.events.emit('stale', this.#stale);
  }

  /** Emits `live` if it has changed. */
  tellLiveness(): void {
    const { isConnected, feed } = this.#host;
    const isBegun = this.#begun !== undefined && this.#beginning === undefined && !this.#tracker.isAwaiting;
    const live = isConnected && isBegun && feed.live && this.#feed.live;
    const reason = live ? undefined : (feed.reason ?? this.#feed.reason);
    if (live === this.#liveness.live && reason === this.#liveness.reason) return;
    this.#liveness = { live, reason };
    this.events.emit('live', this.#liveness);
  }

  #apply({ deliveries, next, duplicates }: Step): void {
    this.#host.counters.duplicates += duplicates;
    // Before the callbacks: they may end the subscription, and then the answer is not needed.
    if (next === 'resubscribe') this.resubscribe();
    if (next === 'askHistory') this.#askHistory();
    for (const delivery of deliveries) if (!this.#ended) this.#deliver(delivery);
    if (!this.#ended) this.#tellBegun();
  }

  #deliver({ source, items, position, resyncReason, startsState }: Delivery): void {
    const { counters } = this.#host;
    const { epoch, offset } = position;
    if (startsState) {
      this.#state?.restart();
      this.#folded.clear();
    }
    const all = items.map((wireItem) => this.#fold(toItem<T>(this.name, epoch, wireItem, source)));
    if (resyncReason !== undefined) {
      counters.resyncs++;
      const state = all.filter((item) => item !== undefined);
      this.events.emit('resync', { topic: this.name, reason: resyncReason, epoch, offset, items: state });
    }
    for (const [at, item] of all.entries()) {
      if (this.#ended) return;
      // Within a snapshot, an item's offset is not a position to resume from.
      if (source !== 'snapshot' && epoch !== '') this.#position = { epoch, offset: (items[at] as WireItem)[0] };
      if (item === undefined) continue;
      counters.items++;
      if (source !== 'live') counters[source]++;
      this.#state?.apply(item);
      this.events.emit('item', item);
    }
    if (!this.#ended && epoch !== '') this.#position = position;
  }

  #fold(item: Item<T> | undefined): Item<T> | undefined {
    const { fold } = this.options;
    if (item === undefined || fold === undefined) return item;
    const { key } = item;
    const folded = fold(this.#folded.get(key), item) as Item<T>;
    if (item.removed) this.#folded.delete(key);
    else this.#folded.set(key, folded);
    return folded;
  }

  /** Emits `subscribed` when all of what was missed, or of the state, has been delivered, or its log was reset meanwhile. */
  #tellBegun(): void {
    const begun = this.#beginning;
    const { position } = this.#tracker;
    if (begun === undefined || (position?.epoch === begun.epoch && position.offset < begun.offset)) return;
    this.#beginning = undefined;
    this.#begun = begun;
    this.events.emit('subscribed', begun);
    if (!this.#ended) this.tellLiveness();
  }

  #askHistory(): void {
    const turn = this.#turn;
    const tracker = this.#tracker;
    this.#host.counters.gaps++;
    const { key, timestamps, fields, filter } = this.options;
    const since = tracker.position as Position;
    const request = { type: 'history', topic: this.name, key, since, limit: GAP_LIMIT, timestamps, fields, filter } as const;
    const onAnswer = (answer: ServerMessage<'history'>) => {
      if (turn === this.#turn) this.#apply(tracker.history(answer, since));
    };
    const options = { timeoutMs: this.#host.requestTimeoutMs, onAnswer, onPart: onAnswer };
    this.#host.ask(request, options).catch((error: StentorError) => {
      if (turn !== this.#turn) return;
      const pauseMs = retryAfterMsOf(error);
      const step = tracker.historyFailed(since);
      if (pauseMs === undefined || step.next !== 'resubscribe') return this.#apply(step);
      this.#retryTimer.set(pauseMs);
    });
  }

  #refused(error: StentorError): void {
    if (error.code === 'connection_lost' || error instanceof DisconnectedError) return;
    if (!error.retryable) return this.fail(error);
    this.#retryTimer.set(retryAfterMsOf(error) ?? backoffDelayMs(this.#refusals, this.#host.backoff, Math.random()));
    this.#refusals++;
  }

  #end(): void {
    this.disconnected();
    this.#ended = true;
    this.#host.deactivate(this as Subscription);
  }
}

/** Fails after the current code has ended, so that a listener that is being added gets the error. */
export function failSoon(subscription: Subscription, error: StentorError): void {
  soon(() => subscription.fail(error));
}

function retryAfterMsOf(error: StentorError): number | undefined {
  return (error as Partial<CommandError>).retryAfterMs;
}
