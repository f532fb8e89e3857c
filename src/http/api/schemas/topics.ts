import Type, { type Static } from 'typebox';
import { TOPICS_MAX } from '../../../hub/report-types.ts';
import { closed, count } from './common.ts';

export const TOPICS_DEFAULT = 50;

const Sort = Type.Union([Type.Literal('members'), Type.Literal('rate')]);

export const TopicsQuery = Type.Object(
  {
    sort: Type.Optional(
      Type.Union([...Sort.anyOf], { description: 'the largest by members (the default), or by publications a second', default: 'members' }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: TOPICS_MAX, default: TOPICS_DEFAULT, description: 'maximum topics in the answer' }),
    ),
  },
  closed,
);

const Topic = Type.Object(
  {
    topic: Type.String(),
    members: count('on this node, including lagging ones'),
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
    total: count('topics open on this node'),
    topics: Type.Array(Topic),
    workersSilent: count('workers that did not answer within 3 s. Their members are not counted'),
  },
  { title: 'Topics' },
);
export type TopicsAnswer = Static<typeof TopicsAnswer>;
