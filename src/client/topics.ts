import type { ServerMessage } from '../protocol/messages.ts';
import { isTopic } from '../protocol/topic.ts';
import { InvalidError, type StentorError } from './errors.ts';
import { Topic } from './topic.ts';
import type { ActiveTopic, TopicHost, TopicOptions } from './topic-types.ts';

/** The topics that are subscribed to: one subscription each, as the server has it. */
export class Topics {
  readonly #active = new Map<string, ActiveTopic>();
  readonly #host: TopicHost;

  constructor(host: Omit<TopicHost, 'activate' | 'deactivate'>) {
    // Over the host, not copied from it: what it says of the connection changes.
    this.#host = Object.assign(Object.create(host) as TopicHost, {
      activate: (topic: ActiveTopic) => {
        if (this.#active.has(topic.name)) {
          throw new InvalidError(`${topic.name} is subscribed to already: client.topic(name) without options gives that subscription`);
        }
        this.#active.set(topic.name, topic);
      },
      deactivate: (topic: ActiveTopic) => {
        if (this.#active.get(topic.name) === topic) this.#active.delete(topic.name);
      },
    });
  }

  /** @throws InvalidError for what can be no topic */
  get<T>(name: string, options: TopicOptions<T> | undefined): Topic<T> {
    assertTopic(name);
    const active = this.#active.get(name);
    return options === undefined && active !== undefined ? (active as Topic<T>) : new Topic<T>(name, options ?? {}, this.#host);
  }

  connected(): void {
    for (const topic of this.#active.values()) topic.connected();
  }

  disconnected(): void {
    for (const topic of this.#active.values()) topic.disconnected();
  }

  receive(message: ServerMessage<'batch'> | ServerMessage<'resync'> | ServerMessage<'lagged'>): void {
    this.#active.get(message.topic)?.receive(message);
  }

  /** The server has ended a subscription on its own. @returns false when there is none */
  fail(name: string, error: StentorError): boolean {
    const topic = this.#active.get(name);
    topic?.fail(error);
    return topic !== undefined;
  }

  close(): void {
    for (const topic of [...this.#active.values()]) topic.close();
  }
}

/** @throws InvalidError */
export function assertTopic(name: string): void {
  if (!isTopic(name)) throw new InvalidError(`${JSON.stringify(name)} is no topic: 1–8 tokens of [A-Za-z0-9_-] joined by dots`);
}
