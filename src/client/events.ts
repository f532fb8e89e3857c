/** `@stentor-broadcast/client/events`: an application's events, and a typing indicator. It has its own entry, because most pages need none. */
import { BadValueError, InvalidError } from './errors.ts';
import type { Item } from './item.ts';
import type { PublishAck, PublishOptions } from './publisher.ts';

export { type TypingIndicator, type TypingOptions, typingIndicator } from './typing-indicator.ts';

/** Says whether a value is an event's payload. A compiled TypeBox schema is one: `Compile(Type.Object({ … }))`. */
export interface PayloadCheck<T> {
  Check(value: unknown): value is T;
}

/** By the event's name. */
export type EventChecks = Readonly<Record<string, PayloadCheck<unknown>>>;

export type PayloadOf<C extends PayloadCheck<unknown>> = C extends PayloadCheck<infer T> ? T : never;

/** An event as the data of a publication. */
export interface EventMessage<N extends string = string, T = unknown> {
  readonly event: N;
  readonly data: T;
}

/** Called with an event's payload, and with the publication that brought it. */
export type EventHandlers<E extends EventChecks> = {
  readonly [N in keyof E]?: ((data: PayloadOf<E[N]>, item: Item<EventMessage<N & string, PayloadOf<E[N]>>>) => void) | undefined;
};

export interface EventListenOptions {
  /** Called with what is no event, or has another payload than its check allows. Without it such publications are ignored. */
  readonly onInvalid?: ((problem: string, item: Item) => void) | undefined;
}

interface Publishes {
  publish(data: unknown, options?: PublishOptions): Promise<PublishAck>;
}

interface Delivers {
  subscribe(listener: (item: Item) => void): () => void;
}

/** A payload that only the compiler checks. */
export function payload<T>(): PayloadCheck<T> {
  return { Check: (_value): _value is T => true };
}

/** The events of an application. */
export class Events<E extends EventChecks> {
  /** The names as constants: `events.names['message:send']`. */
  readonly names: { readonly [N in keyof E & string]: N };
  readonly #checks: ReadonlyMap<string, PayloadCheck<unknown>>;

  /** @throws InvalidError if they are not checks by name */
  constructor(checks: E) {
    if (typeof checks !== 'object' || checks === null || Array.isArray(checks)) throw new InvalidError('events: expected checks by name');
    this.#checks = new Map(Object.entries(checks));
    for (const [name, check] of this.#checks)
      if (typeof check?.Check !== 'function') throw new InvalidError(`events: ${name}: expected a compiled schema, or payload()`);
    this.names = Object.freeze(Object.fromEntries([...this.#checks.keys()].map((name) => [name, name]))) as typeof this.names;
  }

  /** What to publish, by whatever way. @throws BadValueError if there is no such event, or its check refuses the payload */
  message<N extends keyof E & string>(name: N, data: PayloadOf<E[N]>): EventMessage<N, PayloadOf<E[N]>> {
    const problem = this.#problem(name, data);
    if (problem !== undefined) throw new BadValueError(problem);
    return { event: name, data };
  }

  /** Publishes an event to a topic. Rejects as {@link message} throws, and as the topic's `publish` does. */
  async publish<N extends keyof E & string>(
    topic: Publishes,
    name: N,
    data: PayloadOf<E[N]>,
    options?: PublishOptions,
  ): Promise<PublishAck> {
    return topic.publish(this.message(name, data), options);
  }

  /** Calls the handler of each event that a topic delivers. Events without a handler are ignored. @returns a function that stops it */
  subscribe(topic: Delivers, handlers: EventHandlers<E>, options?: EventListenOptions): () => void {
    return topic.subscribe((item) => this.handle(item, handlers, options));
  }

  /** Calls the handler of the event in one item, for items that came otherwise: with `history`, or in a loop. */
  handle(item: Item, handlers: EventHandlers<E>, { onInvalid }: EventListenOptions = {}): void {
    // The removal of a key is no event.
    if (item.removed) return;
    const { event, data } = (item.data ?? {}) as Partial<EventMessage>;
    if (typeof event !== 'string') return onInvalid?.('not an event: { event, data }', item);
    // A newer version of the application may have more events.
    if (!this.#checks.has(event)) return;
    const problem = this.#problem(event, data);
    if (problem !== undefined) return onInvalid?.(problem, item);
    const handler = Object.hasOwn(handlers, event) ? handlers[event] : undefined;
    (handler as ((data: unknown, item: Item) => void) | undefined)?.(data, item);
  }

  #problem(name: string, data: unknown): string | undefined {
    const check = this.#checks.get(name);
    if (check === undefined) return `there is no event ${name}`;
    return check.Check(data) ? undefined : `the payload of ${name} is not what its schema says`;
  }
}

/** Defines the events of an application: `defineEvents({ 'message:send': Compile(Message), 'typing:start': payload<{}>() })`. @throws InvalidError */
export function defineEvents<const E extends EventChecks>(checks: E): Events<E> {
  return new Events(checks);
}
