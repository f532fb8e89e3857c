import Type, { type Static } from 'typebox';
import { TagsSchema } from '../../../protocol/fields.ts';
import { TIME_MS_MAX } from '../../../protocol/time-range.ts';
import { closed, count, Epoch, JsonValue, limit, TopicName } from './common.ts';

const time = (what: string) =>
  Type.Integer({ minimum: 0, maximum: TIME_MS_MAX, description: `${what}, milliseconds since 1970 by the log's clock` });

export const HistoryQuery = Type.Object(
  {
    topic: TopicName,
    epoch: Type.Optional(Type.String({ maxLength: 64, description: 'with `offset`: what follows this position, oldest first' })),
    offset: Type.Optional(count('with `epoch`. Without both: the last publications, oldest first')),
    fromMs: Type.Optional(time('without a position: what was published at this time or later, oldest first')),
    toMs: Type.Optional(time('with `fromMs` or a position: only what was published before this time')),
    limit: Type.Optional(limit('items')),
  },
  closed,
);

const Item = Type.Object(
  {
    offset: count('its place in the log'),
    key: Type.Union([Type.String(), Type.Null()], { description: 'null: the topic is not keyed' }),
    data: JsonValue('bytes are base64 text; integers beyond 53 bits are text of digits'),
    publishedAtMs: count('when the log stored it, milliseconds since 1970'),
    eventAtMs: Type.Optional(count("when it happened, by its producer's clock, milliseconds since 1970")),
    user: Type.Optional(Type.String({ description: 'the user that published it, if a client did' })),
    removed: Type.Optional(Type.Literal(true, { description: 'the key, or the document, was removed; `data` is null' })),
    patch: Type.Optional(Type.Literal(true, { description: '`data` is a JSON merge patch of the document' })),
    tags: Type.Optional({ ...TagsSchema, description: 'what its producer marked it with' } as typeof TagsSchema),
  },
  { title: 'Item' },
);

export const HistoryAnswer = Type.Object(
  {
    topic: Type.String(),
    epoch: Epoch,
    offset: count('the answer covers the topic up to here: continue from here'),
    complete: Type.Boolean({
      description:
        'true: nothing is missing between the position and `offset` (in a keyed topic: only superseded items); of a range of times: it is proven that nothing of it has been removed. false with another epoch: the position is of a log that is gone',
    }),
    more: Type.Boolean({ description: 'true: there is more after `offset`' }),
    items: Type.Array(Item),
  },
  { title: 'History' },
);
export type HistoryAnswer = Static<typeof HistoryAnswer>;
