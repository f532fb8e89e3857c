import { assertFields } from './check.ts';
import type { Item } from './item.ts';
import type { TopicOptions } from './topic-types.ts';

export interface TypingOptions extends Pick<TopicOptions, 'onSubscribed' | 'onError'> {
  /** A client reports that its user types at most once in this time. Default 2 s. */
  readonly repeatMs?: number | undefined;
  /** A user who has not been reported for this long no longer types. Default 5 s. */
  readonly expiresMs?: number | undefined;
  /** Further users are not shown. Default 100. */
  readonly usersMax?: number | undefined;
}

export interface TypingIndicator {
  /** Call it with each key that the user presses. @returns whether the others are told */
  press(): boolean;
  /** The user has stopped: call it when their message has arrived. */
  remove(user: string): void;
  /** Leaves the topic. */
  stop(): void;
}

/** What it needs of a client. */
interface TypingHost {
  topic(name: string, options: TopicOptions): { subscribe(onItem: (item: Item) => void): () => void };
  publishVolatile(topic: string, data: unknown): boolean;
}

/** As `defineEvents({ 'typing:start': … })` would publish it. */
const EVENT = 'typing:start';

/**
 * Who types in a topic: of an ephemeral namespace, because it is not worth keeping. Nobody reports that a user has stopped: each is forgotten after `expiresMs`.
 * So nothing is left over from a closed page or a lost connection.
 *
 * @param topic for example `typing.room-1`
 * @param onChange gets the users who type now, without those of the own connection
 * @throws InvalidError for an invalid topic
 */
export function typingIndicator(
  client: TypingHost,
  topic: string,
  onChange: (users: string[]) => void,
  { repeatMs = 2000, expiresMs = 5000, usersMax = 100, onSubscribed, onError }: TypingOptions = {},
): TypingIndicator {
  assertFields({ listener: onChange ?? null });
  const typing = new Map<string, ReturnType<typeof setTimeout>>();
  let nextAtMs = 0;
  const report = () => onChange([...typing.keys()]);
  const remove = (user: string) => {
    clearTimeout(typing.get(user));
    if (typing.delete(user)) report();
  };
  const unsubscribe = client.topic(topic, { echo: false, onSubscribed, onError }).subscribe(({ data, origin }) => {
    // Anybody who may publish to the topic may send anything. The server says who it was.
    if ((data as { event?: unknown } | null)?.event !== EVENT || origin === undefined) return;
    const isNew = !typing.has(origin);
    if (isNew && typing.size >= usersMax) return;
    clearTimeout(typing.get(origin));
    typing.set(
      origin,
      setTimeout(() => remove(origin), expiresMs),
    );
    if (isNew) report();
  });
  return {
    press() {
      const sent = Date.now() >= nextAtMs && client.publishVolatile(topic, { event: EVENT, data: null });
      if (sent) nextAtMs = Date.now() + repeatMs;
      return sent;
    },
    remove,
    stop() {
      unsubscribe();
      for (const timer of typing.values()) clearTimeout(timer);
      typing.clear();
    },
  };
}
