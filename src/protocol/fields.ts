import Type, { type Static } from 'typebox';
import { FILTER_TAGS_MAX, FILTER_VALUES_MAX, TAG_NAME, TAG_TEXT, TAGS_MAX } from './tags.ts';
import { TIME_MS_MAX } from './time-range.ts';

/** Fields that several messages of the wire protocol have. */

/** Maximum of ids that clients choose: a safe integer, so that every encoding keeps it. */
export const Id = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'chosen by the client, returned in the answer',
});
export const TopicText = Type.String({ minLength: 1, maxLength: 200, description: 'see the topic grammar' });
export const KeyText = Type.String({ minLength: 1, maxLength: 128, description: 'at most 128 bytes, see the key grammar' });
/** Of what the server sends about a subscription to one key. */
export const OnlyKey = Type.Optional(Type.String({ description: 'the subscription, or the answer, is of this key of the topic only' }));
const TagName = Type.String({ pattern: TAG_NAME });
const TagText = Type.String({ minLength: 1, maxLength: 64, pattern: TAG_TEXT });
export const TagsSchema = Type.Record(TagName, TagText, { maxProperties: TAGS_MAX, additionalProperties: false });
export const FilterSchema = Type.Record(TagName, Type.Union([TagText, Type.Array(TagText, { minItems: 1, maxItems: FILTER_VALUES_MAX })]), {
  minProperties: 1,
  maxProperties: FILTER_TAGS_MAX,
  additionalProperties: false,
});

/** JSON Pointers to members of a document; `field-path.ts` knows their grammar. */
export const FieldPaths = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 32 });
export const Offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const offset = (description: string) => ({ ...Offset, description }) as typeof Offset;
export const Epoch = Type.String({ maxLength: 64, description: "epoch of the topic's log; empty: ephemeral" });
export const TimeMs = Type.Number({ description: 'milliseconds since 1970, by the clock of the sender' });

/** A time of a log that a client names. */
const AtMs = Type.Integer({ minimum: 0, maximum: TIME_MS_MAX });
export const atMs = (description: string) =>
  ({ ...AtMs, description: `${description}, milliseconds since 1970 by the log's clock` }) as typeof AtMs;

export const Position = Type.Object({ epoch: Epoch, offset: Offset }, { title: 'Position' });
/** The position that a client resumes from: an epoch of a log and an offset in it. */
export type Position = Static<typeof Position>;

/** `[offset, key, data]`, `[offset, key, data, meta]`; `[offset]` covers an offset without anything to deliver (a left-out echo). */
export const ItemMeta = Type.Object({
  publishedAtMs: Type.Optional(
    Type.Number({ description: 'when the log stored it, whole milliseconds since 1970, if `timestamps` was requested' }),
  ),
  eventAtMs: Type.Optional(
    Type.Number({ description: "when it happened, by its producer's clock, whole milliseconds since 1970, if the producer says so" }),
  ),
  origin: Type.Optional(Type.String({ description: 'the user that published it, if a client published it' })),
  removed: Type.Optional(Type.Literal(true, { description: 'the key, or the document, was removed; `data` is nil' })),
  patch: Type.Optional(Type.Literal(true, { description: '`data` is a JSON merge patch of the document' })),
  topic: Type.Optional(Type.String({ description: 'the topic of the publication, if the subscription is to a pattern' })),
  tags: Type.Optional({ ...TagsSchema, description: 'what its producer marked it with' } as typeof TagsSchema),
  first: Type.Optional(Type.Unknown({ description: 'a merge patch to apply before `data`; both are one step' })),
});
export const Item = Type.Union(
  [
    Type.Tuple([Offset]),
    Type.Tuple([Offset, Type.Union([Type.String(), Type.Null()]), Type.Unknown()]),
    Type.Tuple([Offset, Type.Union([Type.String(), Type.Null()]), Type.Unknown(), ItemMeta]),
  ],
  { title: 'Item' },
);
export type Item = Static<typeof Item>;

export const Items = Type.Array(Item);

export const PresenceMember = Type.Object(
  {
    user: Type.Optional(Type.String({ description: 'absent: an anonymous client' })),
    connectionId: Type.Optional(Type.String({ description: 'of an anonymous client: each of its connections is a member' })),
    info: Type.Optional(Type.Unknown({ description: "the claim `stentor.info` of the member's token" })),
  },
  { title: 'Member' },
);
/** Who is subscribed to a topic. */
export type PresenceMember = Static<typeof PresenceMember>;

export const StaleReason = Type.Union([Type.Literal('producer_silent'), Type.Literal('broker_lost')], {
  description: '`producer_silent`: the producer sends nothing; `broker_lost`: this node hears nothing from its broker',
});
export const Stale = Type.Object(
  {
    sinceMs: { ...TimeMs, description: 'when the topic was last heard, whole milliseconds since 1970' } as typeof TimeMs,
    reason: StaleReason,
  },
  { description: 'the topic is stale; absent: it is not' },
);
export type StaleReason = Static<typeof StaleReason>;
/** A topic that has not been heard: since when, and why. */
export type Stale = Static<typeof Stale>;
