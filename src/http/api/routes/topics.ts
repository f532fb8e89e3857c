import { ProtocolError } from '../../../protocol/errors.ts';
import { limitOf } from '../limit.ts';
import { route } from '../route.ts';
import { TopicsAnswer, TopicsQuery } from '../schemas/topics.ts';

export const topics = route({
  method: 'GET',
  path: '/api/topics',
  operationId: 'topics',
  summary: 'Topics that are open on this node',
  description: 'Rates are averages since the previous request; the first request takes a second.',
  scope: 'read',
  query: TopicsQuery,
  answer: TopicsAnswer,
  handle: ({ query }, context) => {
    const { sort = 'members', prefix, after } = query;
    if (after !== undefined && sort !== 'name') throw new ProtocolError('bad_message', 'after: expected only with sort=name');
    return context.sources.topics({ sort, prefix, after, limit: limitOf(query, context) });
  },
});
