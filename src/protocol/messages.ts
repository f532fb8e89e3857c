import Type, { type Static, type TSchema } from 'typebox';

/**
 * Every message of the wire protocol, once. The types, the runtime checks and the tables of PROTOCOL.md all come from here.
 * Unknown fields are ignored, so `additionalProperties` stays open.
 */

/** Ceiling of ids that clients choose: a safe integer, so that it survives every encoding. */
const Id = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'chosen by the client, returned in the answer' });
const TopicText = Type.String({ minLength: 1, maxLength: 200, description: 'see the topic grammar' });
const Offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Epoch = Type.String({ maxLength: 64 });
const Token = Type.String({ minLength: 1, maxLength: 16_384 });
const TimeMs = Type.Number({ description: 'milliseconds since 1970, the clock of whoever sent it' });

export const Position = Type.Object({ epoch: Epoch, offset: Offset });
/** What a client resumes from: a life of a log and a place in it. */
export type Position = Static<typeof Position>;

/** `[offset, key, data]`, `[offset, key, data, meta]`; `[offset]` is a place covered with nothing to deliver (an echo left out). */
export const Item = Type.Union([
  Type.Tuple([Offset]),
  Type.Tuple([Offset, Type.Union([Type.String(), Type.Null()]), Type.Unknown()]),
  Type.Tuple([
    Offset,
    Type.Union([Type.String(), Type.Null()]),
    Type.Unknown(),
    Type.Object({
      publishedAtMs: Type.Optional(TimeMs),
      origin: Type.Optional(Type.String({ description: 'the user that published it, when a client did' })),
      removed: Type.Optional(Type.Literal(true, { description: 'the key is gone (an empty payload or JSON null)' })),
    }),
  ]),
]);
export type Item = Static<typeof Item>;

const Items = Type.Array(Item);

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
    since: Type.Optional(Position),
    snapshot: Type.Optional(Type.Boolean({ description: 'start with the latest item per key' })),
    maxRateHz: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: 'at most so many batches a second, latest per key' }),
    ),
    echo: Type.Optional(Type.Boolean({ description: 'false: not what this connection itself published' })),
  }),
  unsubscribe: Type.Object({ type: Type.Literal('unsubscribe'), id: Id, topic: TopicText }),
  publish: Type.Object({
    type: Type.Literal('publish'),
    id: Type.Optional(Id),
    topic: TopicText,
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    data: Type.Unknown(),
    idempotencyKey: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  }),
  call: Type.Object({
    type: Type.Literal('call'),
    id: Id,
    method: Type.String({ minLength: 1, maxLength: 200 }),
    data: Type.Optional(Type.Unknown()),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
  }),
  history: Type.Object({
    type: Type.Literal('history'),
    id: Id,
    topic: TopicText,
    since: Type.Optional(Position),
    last: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'the last so many instead of what follows `since`' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  }),
  presence: Type.Object({ type: Type.Literal('presence'), id: Id, topic: TopicText }),
  refresh: Type.Object({ type: Type.Literal('refresh'), id: Id, token: Token }),
  ping: Type.Object({ type: Type.Literal('ping'), t: Type.Optional(Type.Number({ description: 'returned as it came' })) }),
} as const satisfies Record<string, TSchema>;

export const SERVER_MESSAGES = {
  connected: Type.Object({
    type: Type.Literal('connected'),
    id: Type.Optional(Id),
    connectionId: Type.String(),
    user: Type.Union([Type.String(), Type.Null()], { description: 'null: anonymous' }),
    nodeId: Type.String(),
    serverTimeMs: TimeMs,
    expiresAtMs: Type.Optional(TimeMs),
    pingIntervalMs: Type.Integer(),
    limits: Type.Object({ messageBytesMax: Type.Integer(), topicsMax: Type.Integer(), messagesPerSecondMax: Type.Integer() }),
  }),
  subscribed: Type.Object({
    type: Type.Literal('subscribed'),
    id: Id,
    topic: TopicText,
    epoch: Epoch,
    offset: Offset,
    recovered: Type.Boolean({ description: 'true: `items` is everything since the position asked for' }),
    items: Items,
    rateHz: Type.Optional(Type.Number({ description: 'the granted rate class' })),
  }),
  unsubscribed: Type.Object({ type: Type.Literal('unsubscribed'), id: Id, topic: TopicText }),
  batch: Type.Object({
    type: Type.Literal('batch'),
    topic: TopicText,
    epoch: Epoch,
    prev: Offset,
    sentAtMs: TimeMs,
    conflated: Type.Optional(Type.Integer({ minimum: 1, description: 'publications of the stretch left out for later ones of their key' })),
    items: Items,
  }),
  published: Type.Object({
    type: Type.Literal('published'),
    id: Id,
    epoch: Type.Optional(Epoch),
    offset: Type.Optional(Offset),
    duplicate: Type.Boolean(),
  }),
  result: Type.Object({ type: Type.Literal('result'), id: Id, data: Type.Unknown() }),
  history: Type.Object({
    type: Type.Literal('history'),
    id: Id,
    topic: TopicText,
    epoch: Epoch,
    offset: Offset,
    complete: Type.Boolean({ description: 'true: nothing between the position asked for and the last item is missing' }),
    more: Type.Boolean({ description: 'true: the limit cut the answer; ask again from the last item' }),
    items: Items,
  }),
  presence: Type.Object({
    type: Type.Literal('presence'),
    id: Type.Optional(Id),
    topic: TopicText,
    count: Type.Integer({ minimum: 0 }),
    members: Type.Optional(Type.Array(Type.String())),
    joined: Type.Optional(Type.Array(Type.String())),
    left: Type.Optional(Type.Array(Type.String())),
  }),
  refreshed: Type.Object({ type: Type.Literal('refreshed'), id: Id, expiresAtMs: Type.Optional(TimeMs) }),
  pong: Type.Object({ type: Type.Literal('pong'), t: Type.Optional(Type.Number()), serverTimeMs: TimeMs }),
  lagged: Type.Object({
    type: Type.Literal('lagged'),
    topic: TopicText,
    policy: Type.Union([Type.Literal('replay'), Type.Literal('conflate'), Type.Literal('skip'), Type.Literal('close')]),
    skipped: Type.Integer({ minimum: 0, description: 'publications conflated or lost for this client' }),
    offset: Type.Optional({
      ...Offset,
      description: 'with policy skip: where the stream goes on; what lies between is not coming',
    } as typeof Offset),
  }),
  resync: Type.Object({
    type: Type.Literal('resync'),
    topic: TopicText,
    epoch: Epoch,
    offset: Offset,
    reason: Type.String(),
    items: Items,
  }),
  error: Type.Object({
    type: Type.Literal('error'),
    id: Type.Optional(Id),
    code: Type.String(),
    message: Type.String(),
    retryable: Type.Boolean(),
    retryAfterMs: Type.Optional(Type.Integer({ minimum: 0 })),
    topic: Type.Optional({ ...TopicText, description: 'without an id: the subscription to this topic has ended' } as typeof TopicText),
  }),
  closing: Type.Object({
    type: Type.Literal('closing'),
    code: Type.Integer(),
    reason: Type.String(),
    reconnectAfterMs: Type.Object(
      { min: Type.Integer({ minimum: 0 }), max: Type.Integer({ minimum: 0 }) },
      { description: 'reconnect at a random moment inside this window' },
    ),
  }),
} as const satisfies Record<string, TSchema>;

type ClientMessages = { [K in keyof typeof CLIENT_MESSAGES]: Static<(typeof CLIENT_MESSAGES)[K]> };
type ServerMessages = { [K in keyof typeof SERVER_MESSAGES]: Static<(typeof SERVER_MESSAGES)[K]> };
export type ClientMessageType = keyof ClientMessages;
export type ServerMessageType = keyof ServerMessages;
export type ClientMessage<K extends ClientMessageType = ClientMessageType> = ClientMessages[K];
export type ServerMessage<K extends ServerMessageType = ServerMessageType> = ServerMessages[K];
