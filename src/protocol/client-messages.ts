import Type, { type TSchema } from 'typebox';
import { atMs, Epoch, FieldPaths, FilterSchema, Id, KeyText, Offset, Position, TagsSchema, TopicText } from './fields.ts';

const ServerId = { ...Id, description: 'of the `call` of the server that it answers' } as typeof Id;
const Token = Type.String({ minLength: 1, maxLength: 16_384, description: 'a JWT' });
const OnlyKey = Type.Optional({ ...KeyText, description: 'in a keyed topic: only this key' } as typeof KeyText);
const Filter = Type.Optional({
  ...FilterSchema,
  description: 'only publications with these tags: for each name one of these texts, see Selection',
} as typeof FilterSchema);
const Fields = Type.Optional({ ...FieldPaths, description: 'of a document: only these members, see Selection' } as typeof FieldPaths);
const Timestamps = Type.Optional(Type.Boolean({ description: 'true: every item of a durable topic has `meta.publishedAtMs`' }));

/** What a client wants of the topics that it subscribes to. */
const SUBSCRIBE_OPTIONS = {
  sinceMs: Type.Optional(atMs('without a position: start with everything that was published at this time or later')),
  snapshot: Type.Optional(Type.Boolean({ description: 'start with the latest item of every key' })),
  maxRateHz: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1000,
      description: 'maximum batches per second, each with the latest item of every key that changed; rounded down to a rate class',
    }),
  ),
  echo: Type.Optional(Type.Boolean({ description: 'false: leave out what this connection publishes' })),
  timestamps: Timestamps,
  presence: Type.Optional(Type.Boolean({ description: 'true: `presence` messages say who is subscribed, and who joins or leaves' })),
  parts: Type.Optional(
    Type.Boolean({
      description: 'true: large batches may come as numbered parts: see Parts',
    }),
  ),
  delta: Type.Optional(
    Type.Boolean({
      description: 'true: start with the state, then get what changed of each value, where the namespace has `delta: fields`',
    }),
  ),
  filter: Filter,
  fields: Fields,
};

const OffsetOrNone = Type.Union([Offset, Type.Null()]);
/** Each stands for a `subscribe`. */
const Topics = Type.Array(
  Type.Union([
    Type.Tuple([Id, TopicText]),
    Type.Tuple([Id, TopicText, OffsetOrNone]),
    Type.Tuple([Id, TopicText, OffsetOrNone, Type.Union([KeyText, Type.Null()])]),
  ]),
  { title: 'Many topics', minItems: 1, description: 'each `[id, topic]`, `[id, topic, offset]` or `[id, topic, offset, key]`' },
);

/** What clients send, by type. */
export const CLIENT_MESSAGES = {
  connect: Type.Object({
    type: Type.Literal('connect'),
    id: Id,
    token: Type.Optional(Token),
    compression: Type.Optional(Type.Literal('deflate-raw', { description: 'msgpack only: batches may come deflated (ext 90)' })),
  }),
  subscribe: Type.Object({
    type: Type.Literal('subscribe'),
    id: Id,
    topic: TopicText,
    key: OnlyKey,
    since: Type.Optional({ ...Position, description: 'resume: start with everything after this position' } as typeof Position),
    ...SUBSCRIBE_OPTIONS,
  }),
  subscribeMany: Type.Object({
    type: Type.Literal('subscribeMany'),
    topics: Topics,
    epoch: Type.Optional({ ...Epoch, description: 'of all the offsets in `topics`' } as typeof Epoch),
    ...SUBSCRIBE_OPTIONS,
  }),
  unsubscribe: Type.Object({ type: Type.Literal('unsubscribe'), id: Id, topic: TopicText, key: OnlyKey }),
  publish: Type.Object({
    type: Type.Literal('publish'),
    id: Type.Optional(Id),
    topic: TopicText,
    key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'required in keyed topics, and allowed only there; at most 128 bytes, see the key grammar',
      }),
    ),
    data: Type.Unknown({ description: 'the publication; at most 60 levels of nesting' }),
    image: Type.Optional(
      Type.Boolean({
        description: 'true, where there are documents: `data` is the whole document, not a merge patch. The token must permit it',
      }),
    ),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'a publish repeated with the same idempotency key and topic by the same user is stored once',
      }),
    ),
    echo: Type.Optional(Type.Boolean({ description: 'false: to all but this connection, whatever its subscription says' })),
    volatile: Type.Optional(
      Type.Boolean({
        description: 'true: not kept, and not for subscribers whose sockets do not keep up now; only in ephemeral namespaces',
      }),
    ),
    tags: Type.Optional({
      ...TagsSchema,
      description: 'by which subscribers filter, 8 at most: names of `a-z 0-9 _ -` (32), printable ASCII (64)',
    } as typeof TagsSchema),
  }),
  call: Type.Object({
    type: Type.Literal('call'),
    id: Id,
    method: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'answered by the service at the NATS subject `rpc.<method>`; same grammar as a topic',
    }),
    data: Type.Optional(Type.Unknown({ description: 'absent: nil' })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000, description: 'default 5000' })),
  }),
  history: Type.Object({
    type: Type.Literal('history'),
    id: Id,
    topic: TopicText,
    key: OnlyKey,
    since: Type.Optional({ ...Position, description: 'what follows this position, oldest first' } as typeof Position),
    last: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'without `since`: this number of last publications, oldest first' }),
    ),
    fromMs: Type.Optional(atMs('without `since` and `last`: what was published at this time or later, oldest first')),
    toMs: Type.Optional(atMs('with `fromMs` or `since`: only what was published before this time')),
    speed: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 10,
        description: 'with `fromMs` or `toMs`: a replay. The items come one after the other, so many times faster than they were stored',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'maximum publications that the answer covers; default 100' }),
    ),
    timestamps: Timestamps,
    filter: Filter,
    fields: Fields,
  }),
  presence: Type.Object({ type: Type.Literal('presence'), id: Id, topic: TopicText }),
  result: Type.Object({
    type: Type.Literal('result'),
    id: ServerId,
    data: Type.Optional(Type.Unknown({ description: 'absent: nil' })),
  }),
  error: Type.Object({
    type: Type.Literal('error'),
    id: ServerId,
    code: Type.String({ minLength: 1, maxLength: 64, description: '`no_handler`: it has none for the method; else its own' }),
    message: Type.Optional(Type.String({ maxLength: 1024, description: 'text for people' })),
  }),
  refresh: Type.Object({ type: Type.Literal('refresh'), id: Id, token: Token }),
  ping: Type.Object({ type: Type.Literal('ping'), t: Type.Optional(Type.Number({ description: 'returned unchanged' })) }),
} as const satisfies Record<string, TSchema>;
