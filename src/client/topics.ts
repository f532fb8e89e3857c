import { isTopicOrPattern } from '../protocol/topic.ts';
import { assertFields, assertTopic } from './check.ts';
import { CommandError, InvalidError, type StentorError } from './errors.ts';
import { soon } from './platform.ts';
import { subscribeRequest } from './subscribe-request.ts';
import { Subscription, type TopicMessage } from './subscription.ts';
import { Topic } from './topic.ts';
import type { TopicHost } from './topic-host.ts';
import type { SubscribeOptions, TopicOptions } from './topic-types.ts';

/** The subscribed topics: one subscription each, as on the server. */
export class Topics {
  /** In the order of subscribing: if there are too many, the first ones keep their place. */
  readonly #active = new Map<string, Subscription>();
  readonly #host: TopicHost;

  constructor(host: Omit<TopicHost, 'join' | 'deactivate'>) {
    this.#host = {
      ...host,
      join: (name, options) => this.#join(name, options),
      deactivate: (subscription) => {
        const id = idOf({ topic: subscription.name, key: subscription.options.key });
        if (this.#active.get(id) === subscription) this.#active.delete(id);
      },
    };
  }

  /** @throws InvalidError for an invalid topic, and for options that the server would not accept */
  get<T>(name: string, options: TopicOptions<T> | undefined): Topic<T> {
    assertTopic(name, isTopicOrPattern);
    assertFields(options ?? {});
    return new Topic<T>(name, options, this.#host);
  }

  connected(): void {
    const { topicsMax } = this.#host.connection;
    for (const [at, subscription] of [...this.#active.values()].entries()) {
      if (at < topicsMax) subscription.resubscribe();
      else subscription.end(tooMany(subscription.name, topicsMax));
    }
  }

  disconnected(): void {
    for (const subscription of this.#active.values()) subscription.disconnected();
  }

  /** The connection's feed has become live, or has stopped being live. */
  feedChanged(): void {
    for (const subscription of this.#active.values()) subscription.tellLiveness();
  }

  receive(message: TopicMessage): void {
    this.#active.get(idOf(message))?.receive(message);
  }

  /** The server has ended a subscription. @returns false if there is none */
  fail(address: Address, error: StentorError): boolean {
    const subscription = this.#active.get(idOf(address));
    subscription?.end(error);
    return subscription !== undefined;
  }

  /** The client stops: every subscription ends, and its listeners are told. @param error undefined: the application has closed the client */
  endAll(error?: StentorError): void {
    for (const subscription of [...this.#active.values()]) subscription.end(error, true);
  }

  #join(name: string, options: SubscribeOptions | undefined): Subscription {
    const id = idOf({ topic: name, key: options?.key });
    const active = this.#active.get(id);
    if (active !== undefined) {
      if (options !== undefined) assertSame(active, options);
      return active;
    }
    const subscription = new Subscription(name, options ?? {}, this.#host);
    const { isConnected, topicsMax } = this.#host.connection;
    // After the current code, so that the listener that is being added gets the error.
    if (isConnected && this.#active.size >= topicsMax) soon(() => subscription.end(tooMany(name, topicsMax)));
    else {
      this.#active.set(id, subscription);
      subscription.resubscribe();
    }
    return subscription;
  }
}

/** What a message is about. */
interface Address {
  readonly topic?: string | undefined;
  readonly key?: string | undefined;
}

/** One of a whole topic, and one of each of its keys, may exist beside one another. A message about no topic is for none of them. */
function idOf({ topic = '', key = '' }: Address): string {
  return `${topic}#${key}`;
}

/** @throws InvalidError if one subscription cannot satisfy both */
function assertSame({ name, options }: Subscription, wanted: SubscribeOptions): void {
  // Where it began does not count.
  const shown = (of: SubscribeOptions) => JSON.stringify(subscribeRequest(name, { ...of, sinceMs: undefined }));
  // A stream that has begun does not go back for one of its listeners.
  if (shown(options) === shown(wanted) && wanted.since === undefined) return;
  throw new InvalidError(`${name} is subscribed to already, as ${shown(options)}; client.topic(name) without options joins it`);
}

/** The error with which the server would refuse it. */
function tooMany(name: string, topicsMax: number): CommandError {
  return new CommandError({
    code: 'too_many_topics',
    message: `${name}: the server permits ${topicsMax} topics per connection`,
    retryable: false,
  });
}
