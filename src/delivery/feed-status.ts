import type { TopicFeed } from '../fanout/topic-feed.ts';
import { addressOf } from '../protocol/feed-name.ts';
import type { ServerMessage } from '../protocol/messages.ts';

/** Tells members whether a topic is live: all of them when it changes, and new members if it is not live. */
export function feedStatusOf({ topic, awayReason }: TopicFeed): ServerMessage<'feed'> {
  return { type: 'feed', live: awayReason === null, ...addressOf(topic), ...(awayReason !== null && { reason: awayReason }) };
}

/** Tells all members whether a topic is stale, when it changes. New members are told in `subscribed`. */
export function staleStatusOf({ topic, stale }: TopicFeed): ServerMessage<'status'> {
  return { type: 'status', topic, stale: stale !== null, ...stale };
}
