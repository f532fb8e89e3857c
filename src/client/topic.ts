import type { Position, Stale } from '../protocol/messages.ts';
import { AsyncQueue, type IterationOptions } from './async-queue.ts';
import { assertFields } from './check.ts';
import { callSafely, type Emitter } from './emitter.ts';
import { OverflowError, type StentorError } from './errors.ts';
import type { History, Item, Subscribed } from './item.ts';
import { soon } from './platform.ts';
import type { Presence } from './presence-types.ts';
import type { PublishAck, PublishOptions } from './publisher.ts';
import type { Subscription, SubscriptionEvents } from './subscription.ts';
import type { TopicHost } from './topic-host.ts';
import type { HistoryOptions, TopicEvent, TopicOptions } from './topic-types.ts';

type Stop = () => void;
type Events<T> = Emitter<SubscriptionEvents<T>>;

interface Listener<T> {
  /** Called with the current state, if the listener joins later. */
  onItem(item: Item<T>): void;
  /** Called once it has the state. */
  attach(events: Events<T>): Stop[];
  /** Called at the end of the subscription. If it has an error, that error is then reported nowhere else but to the topic's `onError`. */
  onEnd?(error: StentorError | undefined): void;
}

/**
 * A named feed. The first listener or iteration subscribes, the last one that leaves unsubscribes. In between, the subscription survives reconnects: each
 * publication of a durable topic arrives once, in order, none missing; otherwise a resync reports that the stream was reset. All topics with the same name
 * share the subscription.
 */
export class Topic<T = unknown> implements AsyncIterable<Item<T>> {
  readonly name: string;
  readonly #options: TopicOptions<T> | undefined;
  readonly #host: TopicHost;
  #subscription: Subscription<T> | undefined;
  #lastPosition: Position | undefined;
  /** By the function that stops them. */
  readonly #listeners = new Map<Stop, Listener<T>>();
  /** Functions that stop the callbacks of the options. */
  #callbacks: readonly Stop[] = [];
  /** The options' `onSubscribed` has been called for the current subscription. */
  #toldSubscribed = false;

  /** @param options undefined: those of the existing subscription */
  constructor(name: string, options: TopicOptions<T> | undefined, host: TopicHost) {
    this.name = name;
    this.#options = options;
    this.#host = host;
  }

  /** Whether there is a listener. */
  get isActive(): boolean {
    return this.#subscription?.isEnded === false;
  }

  /** New publications reach this client: it is subscribed and connected, and the server has its broker. */
  get isLive(): boolean {
    return this.#subscription?.status.liveness.live ?? false;
  }

  /** Since when the topic has not been heard of, and why; undefined: it is not stale, as far as this client was told. */
  get stale(): Stale | undefined {
    return this.#subscription?.status.stale;
  }

  /**
   * Everything up to here has been delivered. Keep it to resume there later (`since`). Undefined before the first item of a stream, and in ephemeral topics.
   */
  get position(): Position | undefined {
    return this.#subscription === undefined ? this.#lastPosition : this.#subscription.delivered.position;
  }

  /** The document as it is now, with `documentOptions`; of the key, if the topic is one key. It never changes: a change makes another one. Undefined: there is none. */
  get document(): T | undefined {
    return this.documentOf();
  }

  /** The same of one key, in a topic with a document for each. */
  documentOf(key = this.#options?.key ?? null): T | undefined {
    return this.#subscription?.delivered.folded.get(key)?.data;
  }

  /**
   * Calls back with every item from now on. With `snapshot`, a listener that joins later gets the current state first: soon, and before any newer item.
   * @returns a function that stops it; when the last listener stops, the topic is unsubscribed
   * @throws InvalidError if the topic is subscribed with other options, and if the callback is not a function
   */
  subscribe(onItem: (item: Item<T>) => void): Stop {
    assertFields({ listener: onItem ?? null });
    return this.#listen({ onItem, attach: (events) => [events.on('item', onItem)] });
  }

  /** Every item, for `for await`. Ends when the loop is left, or with an error if the subscription ends with one. @throws as {@link subscribe} */
  items(options: IterationOptions = {}): AsyncQueue<Item<T>> {
    return this.#iterate(
      options,
      (item) => item,
      () => [],
    );
  }

  [Symbol.asyncIterator](): AsyncQueue<Item<T>> {
    return this.items();
  }

  /** Items, and the events of the stream between them. @throws as {@link subscribe} */
  events(options: IterationOptions = {}): AsyncQueue<TopicEvent<T>> {
    return this.#iterate<TopicEvent<T>>(
      options,
      (item) => ({ kind: 'item', item }),
      (events, queue) => [
        events.on('resync', (resync) => queue.push({ kind: 'resync', resync })),
        events.on('lagged', (lagged) => queue.push({ kind: 'lagged', lagged })),
      ],
    );
  }

  publish(data: T, options?: PublishOptions): Promise<PublishAck> {
    return this.#host.client.publish(this.name, data, this.#ofKey(options));
  }

  /** Who is subscribed now. Rejects with CommandError `unsupported` where the namespace has no presence. */
  presence(): Promise<Presence> {
    return this.#host.client.presence(this.name);
  }

  history(options?: HistoryOptions): Promise<History<T>> {
    return this.#host.client.history<T>(this.name, this.#ofKey(options));
  }

  /** With the key of this topic, if it has one. */
  #ofKey<O extends object>(options?: O): O {
    return { key: this.#options?.key, ...options } as O & { key?: string };
  }

  #iterate<V>(
    options: IterationOptions,
    wrap: (item: Item<T>) => V,
    listenToMore: (events: Events<T>, queue: AsyncQueue<V>) => Stop[],
  ): AsyncQueue<V> {
    let stop = () => {};
    const queue = new AsyncQueue<V>(options, this.#host.settings.stateKeysMax, () => stop());
    const onItem = (item: Item<T>) => queue.push(wrap(item), item.source === 'snapshot');
    const attach = (events: Events<T>) => [events.on('item', onItem), ...listenToMore(events, queue)];
    stop = this.#listen({ onItem, attach, onEnd: (error) => queue.end(error) });
    return queue;
  }

  #listen(listener: Listener<T>): Stop {
    const subscription = this.#begin();
    // `onEnd` gets the error, so it is not reported elsewhere.
    const stops: Stop[] = listener.onEnd === undefined ? [] : [subscription.events.on('error', () => {})];
    const stop = () => {
      if (!this.#listeners.delete(stop)) return;
      for (const one of stops) one();
      if (this.#listeners.size === 0) this.#leave(subscription);
    };
    this.#listeners.set(stop, listener);
    if (!subscription.hasState) stops.push(...listener.attach(subscription.events));
    // Not immediately: applications do not expect a callback before the call that requested it has returned.
    else soon(() => this.#joinLate(subscription, listener, stop, stops));
    return stop;
  }

  /** Gives a listener the current state, and then everything that follows; nothing comes in between. */
  #joinLate(subscription: Subscription<T>, { onItem, attach, onEnd }: Listener<T>, stop: Stop, stops: Stop[]): void {
    if (!this.#listeners.has(stop)) return;
    const { state } = subscription;
    if (state === undefined) {
      stop();
      const { onError } = this.#options ?? {};
      const keysMax = this.#host.settings.stateKeysMax;
      const error = new OverflowError(`${this.name} has more than ${keysMax} keys (stateKeysMax): no listener can join later`);
      return (onEnd ?? onError ?? this.#host.reportError)(error);
    }
    for (const item of state) if (this.#listeners.has(stop)) callSafely(onItem, item);
    if (!this.#listeners.has(stop)) return;
    stops.push(...attach(subscription.events));
    if (subscription.begun !== undefined) this.#tellSubscribed(subscription.begun);
  }

  /** For a stream that had begun before this topic joined it. */
  #tellSubscribed(begun: Subscribed): void {
    if (this.#toldSubscribed) return;
    this.#toldSubscribed = true;
    if (this.#options?.onSubscribed !== undefined) callSafely(this.#options.onSubscribed, begun);
  }

  #begin(): Subscription<T> {
    if (this.#subscription?.isEnded === false) return this.#subscription;
    this.#detach();
    const subscription = this.#host.join(this.name, this.#options) as Subscription<T>;
    this.#subscription = subscription;
    this.#toldSubscribed = false;
    const { events } = subscription;
    const { onResync, onLagged, onSubscribed, onLive, onStale, onPresence, onError } = this.#options ?? {};
    const callbacks = { resync: onResync, lagged: onLagged, live: onLive, stale: onStale, presence: onPresence, error: onError };
    this.#callbacks = [
      events.on('subscribed', (begun) => {
        this.#toldSubscribed = true;
        onSubscribed?.(begun);
      }),
      ...Object.entries(callbacks).flatMap(([name, callback]) =>
        callback === undefined ? [] : events.on(name as keyof typeof callbacks, callback as (event: unknown) => void),
      ),
      events.on('end', (error) => {
        for (const { onEnd } of this.#listeners.values()) onEnd?.(error);
        if (this.#subscription === subscription) this.#detach();
      }),
    ];
    subscription.joined();
    const { presence } = subscription;
    if (presence !== undefined && onPresence !== undefined) soon(() => callSafely(onPresence, presence));
    return subscription;
  }

  #leave(subscription: Subscription<T>): void {
    if (this.#subscription !== subscription) return;
    this.#detach();
    subscription.left();
  }

  #detach(): void {
    if (this.#subscription !== undefined) this.#lastPosition = this.#subscription.delivered.position;
    this.#subscription = undefined;
    for (const stop of this.#callbacks) stop();
    this.#callbacks = [];
    for (const stop of this.#listeners.keys()) stop();
  }
}
