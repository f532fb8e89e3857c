import { parseTopic } from '../../../protocol/topic.ts';
import { route } from '../route.ts';
import { PresenceAnswer, PresenceQuery } from '../schemas/presence.ts';

export const presence = route({
  method: 'GET',
  path: '/api/presence',
  operationId: 'presence',
  summary: 'Who is subscribed to a topic, on all nodes',
  description: 'Where the namespace option `presence` is `count` or `members`.',
  scope: 'read',
  query: PresenceQuery,
  answer: PresenceAnswer,
  errors: ['bad_topic', 'unknown_namespace', 'unsupported'],
  handle: ({ query }, { sources }) => {
    const topic = parseTopic(query.topic);
    return { topic, ...sources.operator.presence(topic) };
  },
});
