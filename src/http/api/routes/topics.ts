import { TOPICS_MAX } from '../../../hub/report-types.ts';
import { ProtocolError } from '../../../protocol/errors.ts';
import { limitOf } from '../limit.ts';
import { route } from '../route.ts';
import { TopicsAnswer, TopicsQuery } from '../schemas/topics.ts';

export const topics = route({
  method: 'GET',
  path: '/api/topics',
  operationId: 'topics',
  summary: 'Topics that are open on any node',
  description: `Members are of all nodes. With \`sort=members\` and \`sort=rate\` each node contributes its ${TOPICS_MAX} largest. Rates are averages since the previous request; the first request takes a second.`,
  scope: 'read',
  query: TopicsQuery,
  answer: TopicsAnswer,
  handle: ({ query }, context) => {
    const { sort = 'members', prefix, after } = query;
    if (after !== undefined && sort !== 'name') throw new ProtocolError('bad_message', 'after: expected only with sort=name');
    return context.sources.operator.finder.topics({ sort, prefix, after, limit: limitOf(query, context) });
  },
});
