import { route } from '../route.ts';
import { TOPICS_DEFAULT, TopicsAnswer, TopicsQuery } from '../schemas/topics.ts';

export const topics = route({
  method: 'GET',
  path: '/api/topics',
  operationId: 'topics',
  summary: 'Topics that are open on this node',
  description: 'Rates are averages since the previous request; the first request takes a second.',
  scope: 'read',
  query: TopicsQuery,
  answer: TopicsAnswer,
  handle: ({ query: { sort = 'members', limit = TOPICS_DEFAULT } }, { sources }) => sources.topics(sort, limit),
});
