import { InvalidError } from './errors.ts';
import type { Item } from './item.ts';
import type { ConnectionState } from './state.ts';
import type { Topic } from './topic.ts';
import type { TopicOptions } from './topic-types.ts';

/** What a user's topic needs from its client. */
export interface UserTopicHost {
  readonly state: ConnectionState;
  on(name: 'state', listener: () => void): () => void;
  topic<T>(name: string, options: TopicOptions<T> | undefined): Topic<T>;
}

/** The topic of the user that the client is connected as. The server sends its name when the client connects. */
export class UserTopic<T = unknown> {
  readonly #host: UserTopicHost;
  readonly #options: TopicOptions<T> | undefined;

  constructor(host: UserTopicHost, options: TopicOptions<T> | undefined) {
    this.#host = host;
    this.#options = options;
  }

  /**
   * Calls back with every item, from the first connection on. If the client reconnects as another user, it follows that user's topic. `onError` of the options
   * is called if the server names no topic: no token, or no such namespace.
   * @returns a function that stops it
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
