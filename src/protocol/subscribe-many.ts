import type { ClientMessage } from './messages.ts';

/** What `subscribeMany` stands for: one `subscribe` for each of its topics. Without an epoch, their positions are malformed, and refused as such. */
export function subscribesOf({ topics, epoch, ...options }: ClientMessage<'subscribeMany'>): ClientMessage<'subscribe'>[] {
  return topics.map(([id, topic, offset, key]) => ({
    ...options,
    type: 'subscribe',
    id,
    topic,
    ...(typeof offset === 'number' && { since: { epoch: epoch as string, offset } }),
    ...(typeof key === 'string' && { key }),
  }));
}
