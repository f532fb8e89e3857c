import Type, { type Static } from 'typebox';
import { TOPICS_MAX } from '../../../hub/report-types.ts';
import { closed, count, fromNodes, LEAST, limit, prefix } from './common.ts';

const Sort = Type.Union([Type.Literal('members'), Type.Literal('rate'), Type.Literal('name')]);

export const TopicsQuery = Type.Object(
  {
    sort: Type.Optional(
      Type.Union([...Sort.anyOf], {
        default: 'members',
        description: '`members` or `rate`: the largest by members, or by publications a second. `name`: all, page by page',
      }),
    ),
    prefix: Type.Optional(prefix('topics')),
    after: Type.Optional(Type.String({ maxLength: 200, description: 'only with `sort=name`: topics after this one, as `next` said' })),
    limit: Type.Optional(limit('topics', TOPICS_MAX)),
  },
  closed,
);

const Topic = Type.Object(
  {
    topic: Type.String(),
    members: count('connections that are subscribed, including lagging ones'),
    lagging: count('of them, those whose sockets do not keep up'),
    publicationsPerSecond: Type.Number({
      minimum: 0,
      description: 'since rates were last requested; over one second if that was more than ten seconds ago',
    }),
  },
  { title: 'Topic' },
);

export const TopicsAnswer = Type.Object(
  {
    sort: Sort,
    total: count(`open topics; with \`prefix\`: of those that begin with it. ${LEAST}`),
    topics: Type.Array(Topic),
    next: Type.Optional(Type.String({ description: 'with `sort=name`: `after` of the next page; absent: this is the last page' })),
    workersSilent: count('workers that did not answer within 3 s. Their members are not counted'),
    ...fromNodes,
  },
  { title: 'Topics' },
);
export type TopicsAnswer = Static<typeof TopicsAnswer>;
