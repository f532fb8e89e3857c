import { InvalidError } from './errors.ts';
import type { Item } from './item.ts';
import type { ConnectionState } from './state.ts';
import type { Topic } from './topic.ts';
import type { TopicOptions } from './topic-types.ts';

/** What the topic of a user needs of its client. */
export interface UserTopicHost {
  readonly state: ConnectionState;
  on(name: 'state', listener: () => void): () => void;
  topic<T>(name: string, options: TopicOptions<T> | undefined): Topic<T>;
}

/** The topic of whoever the client is connected as. The server names it, so it is known with the connection. */
export class UserTopic<T = unknown> {
  readonly #host: UserTopicHost;
  readonly #options: TopicOptions<T> | undefined;

  constructor(host: UserTopicHost, options: TopicOptions<T> | undefined) {
    this.#host = host;
    this.#options = options;
  }

  /**
   * Calls back with every item from the first connection on; of another user's topic, where the client comes back as another. `onError` of the options is told
   * when the server names none: no token, or no such namespace.
   * @returns how to stop
   */
  subscribe(onItem: (item: Item<T>) => void): () => void {
    let name: string | undefined;
    let stop = () => {};
    const follow = () => {
      const { state } = this.#host;
      if (state.status !== 'connected' || (state.userTopic === name && name)) return;
      stop();
      name = state.userTopic;
      if (name) stop = this.#host.topic(name, this.#options).subscribe(onItem);
      else this.#options?.onError?.(new InvalidError('this user has no topic'));
    };
    const unlisten = this.#host.on('state', follow);
    follow();
    return () => {
      unlisten();
      stop();
    };
  }
}
