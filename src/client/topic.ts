import type { Position, ServerMessage } from '../protocol/messages.ts';
import { AsyncQueue, type IterationOptions } from './async-queue.ts';
import { backoffDelayMs } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { DisconnectedError, type StentorError } from './errors.ts';
import { type History, type Item, type Lagged, type Resync, type Subscribed, toItem, toItems } from './item.ts';
import { PositionTracker, type Step } from './position-tracker.ts';
import type { PublishAck, PublishOptions } from './publisher.ts';
import { Timer } from './timer.ts';
import type { ActiveTopic, HistoryOptions, TopicEvent, TopicHost, TopicOptions } from './topic-types.ts';

interface Events<T> {
  item: Item<T>;
  resync: Resync<T>;
  lagged: Lagged;
  subscribed: Subscribed;
  error: StentorError;
  end: undefined;
}

/** Publications asked for at once to fill a gap. */
const GAP_LIMIT = 1000;

/**
 * A named feed. The first listener or iteration subscribes, the last to leave unsubscribes. In between the subscription lives through reconnects: each publication of
 * a durable topic comes once, in order, none missing, or else a resync says that the stream starts over.
 */
export class Topic<T = unknown> implements AsyncIterable<Item<T>>, ActiveTopic {
  readonly name: string;
  readonly #options: TopicOptions<T>;
  readonly #host: TopicHost;
  readonly #events = new Emitter<Events<T>>();
  readonly #retryTimer = new Timer(() => this.connected());
  #tracker: PositionTracker | undefined;
  #position: Position | undefined;
  /** How to stop each listener and iteration. */
  readonly #stops = new Set<() => void>();
  #refusals = 0;
  /** Counts streams, so that an answer to an earlier one is known. */
  #turn = 0;
  /** A stream has begun, and what was missed up to its offset is still coming. */
  #begun: Subscribed | undefined;

  constructor(name: string, options: TopicOptions<T>, host: TopicHost) {
    this.name = name;
    this.#options = options;
    this.#host = host;
    const { onResync, onLagged, onSubscribed, onError } = options;
    if (onResync !== undefined) this.#events.on('resync', onResync);
    if (onLagged !== undefined) this.#events.on('lagged', onLagged);
    if (onSubscribed !== undefined) this.#events.on('subscribed', onSubscribed);
    if (onError !== undefined) this.#events.on('error', onError);
  }

  get isActive(): boolean {
    return this.#tracker !== undefined;
  }

  /** Everything up to here has been handed over. Keep it to go on there another time (`since`). Undefined before the first item of a stream, and in ephemeral topics. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Calls back with every item from now on. @returns how to stop; the last to stop unsubscribes */
  subscribe(onItem: (item: Item<T>) => void): () => void {
    const stopListening = this.#events.on('item', onItem);
    return this.#listen(stopListening);
  }

  /** Every item, for `for await`. Ends when the loop is left, or with an error when the subscription does. */
  items(options: IterationOptions = {}): AsyncQueue<Item<T>> {
    return this.#iterate<Item<T>>(options, (queue) => [this.#events.on('item', (item) => queue.push(item))]);
  }

  [Symbol.asyncIterator](): AsyncQueue<Item<T>> {
    return this.items();
  }

  /** Items, and between them what happened to the stream. */
  events(options: IterationOptions = {}): AsyncQueue<TopicEvent<T>> {
    return this.#iterate<TopicEvent<T>>(options, (queue) => [
      this.#events.on('item', (item) => queue.push({ kind: 'item', item })),
      this.#events.on('resync', (resync) => queue.push({ kind: 'resync', resync })),
      this.#events.on('lagged', (lagged) => queue.push({ kind: 'lagged', lagged })),
    ]);
  }

  publish(data: T, options?: PublishOptions): Promise<PublishAck> {
    return this.#host.publish(this.name, data, options);
  }

  history(options?: HistoryOptions): Promise<History<T>> {
    return this.#host.history<T>(this.name, options);
  }

  /** @internal */
  connected(): void {
    const tracker = this.#tracker;
    if (tracker === undefined || !this.#host.isConnected) return;
    tracker.interrupted();
    const turn = ++this.#turn;
    const { snapshot, maxRateHz, echo } = this.#options;
    const since = tracker.position;
    const request = { type: 'subscribe', topic: this.name, since, snapshot, maxRateHz, echo } as const;
    const onAnswer = (answer: ServerMessage<'subscribed'>) => {
      if (turn !== this.#turn) return;
      this.#refusals = 0;
      const { epoch, offset, recovered, rateHz, upTo = offset } = answer;
      this.#begun = { topic: this.name, epoch, offset: upTo, recovered, rateHz };
      this.#apply(tracker, tracker.subscribed(answer, since));
    };
    this.#host.ask(request, { timeoutMs: this.#host.requestTimeoutMs, onAnswer }).catch((error: StentorError) => {
      if (turn === this.#turn) this.#refused(error);
    });
  }

  /** @internal */
  disconnected(): void {
    this.#turn++;
    this.#begun = undefined;
    this.#retryTimer.clear();
    this.#tracker?.interrupted();
  }

  /** @internal Messages with this topic's name. */
  receive(message: ServerMessage<'batch'> | ServerMessage<'resync'> | ServerMessage<'lagged'>): void {
    const tracker = this.#tracker;
    if (tracker === undefined) return;
    switch (message.type) {
      case 'batch':
        this.#host.counters.conflated += message.conflated ?? 0;
        this.#host.observeLatency(message.sentAtMs, message.items.length);
        return this.#apply(tracker, tracker.batch(message));
      case 'resync':
        return this.#apply(tracker, tracker.resync(message));
      case 'lagged': {
        const { policy, skipped, offset } = message;
        this.#host.counters.lagged += skipped;
        this.#events.emit('lagged', { topic: this.name, policy, skipped });
        if (policy === 'skip' && offset !== undefined) this.#apply(tracker, tracker.skippedTo(offset));
      }
    }
  }

  /** @internal */
  fail(error: StentorError): void {
    if (!this.isActive) return;
    this.#endStream();
    if (this.#events.has('error')) this.#events.emit('error', error);
    else this.#host.reportError(error);
    this.#stopAll();
  }

  /** @internal */
  close(): void {
    this.#endStream();
    this.#events.emit('end', undefined);
    this.#stopAll();
  }

  #apply(tracker: PositionTracker, { deliveries, next, duplicates }: Step): void {
    const { counters } = this.#host;
    counters.duplicates += duplicates;
    // Before the callbacks: they may end the subscription, and then nobody wants the answer.
    if (next === 'resubscribe') this.connected();
    if (next === 'askHistory') this.#askHistory(tracker);
    for (const { source, items, position, resyncReason } of deliveries) {
      const { epoch, offset } = position;
      if (resyncReason !== undefined) {
        counters.resyncs++;
        this.#events.emit('resync', {
          topic: this.name,
          reason: resyncReason,
          epoch,
          offset,
          items: toItems<T>(this.name, epoch, items, source),
        });
      }
      for (const wireItem of items) {
        if (tracker !== this.#tracker) return;
        const item = toItem<T>(this.name, epoch, wireItem, source);
        // Within a snapshot no item's offset is a place to resume from.
        if (source !== 'snapshot' && epoch !== '') this.#position = { epoch, offset: wireItem[0] };
        if (item === undefined) continue;
        counters.items++;
        if (source !== 'live') counters[source]++;
        this.#events.emit('item', item);
      }
      if (tracker !== this.#tracker) return;
      if (epoch !== '') this.#position = position;
    }
    this.#tellBegun(tracker.position);
  }

  /** Once all of what was missed has been handed over; or has turned out to be of a log that is no more. */
  #tellBegun(position: Position | undefined): void {
    const begun = this.#begun;
    if (begun === undefined || (position?.epoch === begun.epoch && position.offset < begun.offset)) return;
    this.#begun = undefined;
    this.#events.emit('subscribed', begun);
  }

  #askHistory(tracker: PositionTracker): void {
    const turn = this.#turn;
    this.#host.counters.gaps++;
    const request = { type: 'history', topic: this.name, since: tracker.position as Position, limit: GAP_LIMIT } as const;
    const onAnswer = (answer: ServerMessage<'history'>) => {
      if (turn === this.#turn) this.#apply(tracker, tracker.history(answer));
    };
    this.#host.ask(request, { timeoutMs: this.#host.requestTimeoutMs, onAnswer }).catch(() => {
      if (turn === this.#turn) this.#apply(tracker, tracker.historyFailed());
    });
  }

  #refused(error: StentorError): void {
    if (error.code === 'connection_lost' || error instanceof DisconnectedError) return;
    if (!error.retryable) return this.fail(error);
    const pauseMs = 'retryAfterMs' in error ? (error.retryAfterMs as number | undefined) : undefined;
    this.#retryTimer.set(pauseMs ?? backoffDelayMs(this.#refusals, this.#host.backoff, Math.random()));
    this.#refusals++;
  }

  #iterate<V>(options: IterationOptions, listen: (queue: AsyncQueue<V>) => (() => void)[]): AsyncQueue<V> {
    let stop = () => {};
    const queue = new AsyncQueue<V>(options, () => stop());
    const stops = listen(queue);
    stops.push(this.#events.on('error', (error) => queue.end(error)));
    stops.push(this.#events.on('end', () => queue.end()));
    stop = this.#listen(() => {
      for (const one of stops) one();
    });
    return queue;
  }

  #listen(stopListening: () => void): () => void {
    if (!this.isActive) this.#begin();
    this.#stops.add(stopListening);
    return () => {
      if (!this.#stops.delete(stopListening)) return;
      stopListening();
      if (this.#stops.size === 0 && this.isActive) this.#unsubscribe();
    };
  }

  #begin(): void {
    this.#host.activate(this);
    this.#tracker = new PositionTracker(this.#host.holdItemsMax, this.#options.since);
    this.#position = this.#options.since;
    this.connected();
  }

  #unsubscribe(): void {
    this.#endStream();
    if (!this.#host.isConnected) return;
    void this.#host.ask({ type: 'unsubscribe', topic: this.name }, { timeoutMs: this.#host.requestTimeoutMs });
  }

  #endStream(): void {
    this.disconnected();
    this.#tracker = undefined;
    this.#host.deactivate(this);
  }

  #stopAll(): void {
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }
}
