import type { Static } from 'typebox';
import type { HistoryItem, HistoryQuestion } from '../../../hub/report-types.ts';
import { ProtocolError } from '../../../protocol/errors.ts';
import { unpackMsgpack } from '../../../protocol/msgpack-codec.ts';
import { parseTopic } from '../../../protocol/topic.ts';
import { limitOf } from '../limit.ts';
import { route } from '../route.ts';
import { HistoryAnswer, HistoryQuery } from '../schemas/history.ts';

export const history = route({
  method: 'GET',
  path: '/api/history',
  operationId: 'history',
  summary: 'What was published to a topic',
  description: 'Of any durable topic, open or not. `tuning.answers.historyBytesMax` bounds the bytes of an answer.',
  scope: 'read',
  query: HistoryQuery,
  answer: HistoryAnswer,
  errors: ['bad_topic', 'unknown_namespace', 'unsupported', 'unavailable'],
  handle: async ({ query }, context) => {
    const topic = parseTopic(query.topic);
    const { fromMs, toMs } = query;
    const page = await context.sources.operator.history({ topic, since: sinceOf(query), fromMs, toMs, limit: limitOf(query, context) });
    return { ...page, topic, items: page.items.map(shown) };
  },
});

function sinceOf({ epoch, offset }: Static<typeof HistoryQuery>): HistoryQuestion['since'] {
  if ((epoch === undefined) !== (offset === undefined))
    throw new ProtocolError('bad_message', 'expected both of epoch and offset, or neither');
  return epoch === undefined || offset === undefined ? undefined : { epoch, offset };
}

function shown({
  offset,
  key,
  data,
  publishedAtMs,
  eventAtMs,
  user,
  removed,
  patch,
  tags,
}: HistoryItem): Static<typeof HistoryAnswer>['items'][number] {
  const time = eventAtMs !== undefined && { eventAtMs };
  return {
    offset,
    key,
    data: unpackMsgpack(data),
    // NATS has nanoseconds.
    publishedAtMs: Math.floor(publishedAtMs),
    ...time,
    ...(user !== undefined && { user }),
    ...(removed && { removed }),
    ...(patch && { patch }),
    ...(tags !== undefined && { tags }),
  };
}
