import type { ClientMessage } from './messages.ts';

type Subscribe = { -readonly [K in keyof ClientMessage<'subscribe'>]: ClientMessage<'subscribe'>[K] };

/** What `subscribeMany` stands for: one `subscribe` for each of its topics. Without an epoch, their positions are malformed, and refused as such. */
export function subscribesOf({ type: _, topics, epoch, ...options }: ClientMessage<'subscribeMany'>): ClientMessage<'subscribe'>[] {
  return topics.map(([id, topic, offset, key]) => {
    // Not by spreading what may be absent: V8 keeps such an object as a dictionary, and everything that reads it takes twice the time.
    const subscribe: Subscribe = { type: 'subscribe', id, topic };
    if (typeof offset === 'number') subscribe.since = { epoch: epoch as string, offset };
    if (typeof key === 'string') subscribe.key = key;
    return Object.assign(subscribe, options);
  });
}
