import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { ServerMessage } from '../protocol/messages.ts';

/** What members are told of a topic whose state changed, and newcomers where it is not live. */
export function feedStatusOf({ topic, awayReason }: TopicFeed): ServerMessage<'feed'> {
  return { type: 'feed', live: awayReason === null, topic, ...(awayReason !== null && { reason: awayReason }) };
}
