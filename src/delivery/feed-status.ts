import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { ServerMessage } from '../protocol/messages.ts';

/** Tells members whether a topic is live: all of them when it changes, and new members if it is not live. */
export function feedStatusOf({ topic, awayReason }: TopicFeed): ServerMessage<'feed'> {
  return { type: 'feed', live: awayReason === null, topic, ...(awayReason !== null && { reason: awayReason }) };
}
