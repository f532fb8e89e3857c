import Type, { type Static, type TSchema } from 'typebox';

/**
 * Every message of the wire protocol, once. The types, the runtime checks and the tables of PROTOCOL.md all come from here.
 * Unknown fields are ignored, so `additionalProperties` stays open.
 */

/** Maximum of ids that clients choose: a safe integer, so that every encoding keeps it. */
const Id = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'chosen by the client, returned in the answer' });
const ServerId = { ...Id, description: 'of the `call` of the server that it answers' } as typeof Id;
const TopicText = Type.String({ minLength: 1, maxLength: 200, description: 'see the topic grammar' });
const Offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const offset = (description: string) => ({ ...Offset, description }) as typeof Offset;
const Epoch = Type.String({ maxLength: 64, description: "epoch of the topic's log; empty: ephemeral" });
const Token = Type.String({ minLength: 1, maxLength: 16_384, description: 'a JWT' });
const Timestamps = Type.Optional(Type.Boolean({ description: 'true: every item of a durable topic has `meta.publishedAtMs`' }));
const TimeMs = Type.Number({ description: 'milliseconds since 1970, by the clock of the sender' });

export const Position = Type.Object({ epoch: Epoch, offset: Offset }, { title: 'Position' });
/** The position that a client resumes from: an epoch of a log and an offset in it. */
export type Position = Static<typeof Position>;

/** `[offset, key, data]`, `[offset, key, data, meta]`; `[offset]` covers an offset without anything to deliver (a left-out echo). */
export const ItemMeta = Type.Object({
  publishedAtMs: Type.Optional(
    Type.Number({ description: 'when the log stored it, whole milliseconds since 1970, if `timestamps` was requested' }),
  ),
  origin: Type.Optional(Type.String({ description: 'the user that published it, if a client published it' })),
  removed: Type.Optional(Type.Literal(true, { description: 'the key, or the document, was removed; `data` is nil' })),
  patch: Type.Optional(Type.Literal(true, { description: '`data` is a JSON merge patch of the document' })),
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

const Items = Type.Array(Item);

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
  { sinceMs: { ...TimeMs, description: 'when the topic was last heard, milliseconds since 1970' } as typeof TimeMs, reason: StaleReason },
  { description: 'the topic is stale; absent: it is not' },
);
export type StaleReason = Static<typeof StaleReason>;
/** A topic that has not been heard: since when, and why. */
export type Stale = Static<typeof Stale>;

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
    since: Type.Optional({ ...Position, description: 'resume: start with everything after this position' } as typeof Position),
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
  }),
  unsubscribe: Type.Object({ type: Type.Literal('unsubscribe'), id: Id, topic: TopicText }),
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
        description: 'true, in a document namespace: `data` is the whole document, not a merge patch. The token must permit it',
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
    since: Type.Optional({ ...Position, description: 'what follows this position, oldest first' } as typeof Position),
    last: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'without `since`: this number of last publications, oldest first' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'maximum items in the answer; default 100' })),
    timestamps: Timestamps,
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

export const SERVER_MESSAGES = {
  connected: Type.Object({
    type: Type.Literal('connected'),
    id: Type.Optional({ ...Id, description: 'id of the `connect` it answers; absent if the token came with the upgrade' } as typeof Id),
    connectionId: Type.String({ description: 'unique over nodes and restarts' }),
    user: Type.Union([Type.String(), Type.Null()], { description: 'null: anonymous' }),
    userTopic: Type.Optional({ ...TopicText, description: 'the topic of this user alone; absent: there is none' } as typeof TopicText),
    nodeId: Type.String(),
    serverTimeMs: TimeMs,
    expiresAtMs: Type.Optional(
      Type.Number({ description: 'when the token expires: `refresh` before that, or the connection is closed with 4201' }),
    ),
    pingIntervalMs: Type.Integer({
      description: 'time between two pings of the server. If nothing arrives for twice this time, the connection is lost',
    }),
    limits: Type.Object(
      {
        messageBytesMax: Type.Integer(),
        topicsMax: Type.Integer(),
        messagesPerSecondMax: Type.Integer(),
        bytesPerSecondMax: Type.Optional(Type.Integer()),
        commandsPerSecondMax: Type.Optional(Type.Integer()),
        commandsMax: Type.Optional(Type.Integer({ description: 'maximum commands in one message (an array)' })),
      },
      { description: 'limits of this connection' },
    ),
  }),
  subscribed: Type.Object({
    type: Type.Literal('subscribed'),
    id: Id,
    topic: TopicText,
    epoch: Epoch,
    offset: offset('the new position: the next batch continues after it'),
    recovered: Type.Boolean({
      description:
        'true: `items` is everything after the requested position (or after the current one, for a changed subscription) up to `offset`',
    }),
    items: { ...Items, description: 'what was missed, the state, or nothing: see Subscribing' } as typeof Items,
    rateHz: Type.Optional(Type.Number({ description: 'the granted rate class' })),
    state: Type.Optional(
      Type.Literal('unavailable', { description: 'the document is not known: when it is published as a whole, `resync` brings it' }),
    ),
    stale: Type.Optional(Stale),
    upTo: Type.Optional(offset('the rest of what was missed, or of the state, up to here follows in batches')),
  }),
  unsubscribed: Type.Object({ type: Type.Literal('unsubscribed'), id: Id, topic: TopicText }),
  batch: Type.Object({
    type: Type.Literal('batch'),
    topic: TopicText,
    epoch: Epoch,
    prev: offset("the topic's offset just before the range that the batch covers"),
    sentAtMs: TimeMs,
    conflated: Type.Optional(
      Type.Integer({ minimum: 1, description: 'publications of the range that were left out for later ones of their key' }),
    ),
    items: Items,
  }),
  published: Type.Object({
    type: Type.Literal('published'),
    id: Id,
    epoch: Type.Optional(Epoch),
    offset: Type.Optional(offset('where it is stored; for a duplicate, where the first one is. Absent in ephemeral topics')),
    duplicate: Type.Boolean({ description: 'true: the idempotency key was used before, and nothing was stored now' }),
  }),
  result: Type.Object({ type: Type.Literal('result'), id: Id, data: Type.Unknown() }),
  message: Type.Object({
    type: Type.Literal('message'),
    namespace: Type.Optional(
      Type.String({
        description: 'it was sent to every connection that is subscribed in this namespace; absent: to this connection alone',
      }),
    ),
    data: Type.Unknown(),
  }),
  call: Type.Object({
    type: Type.Literal('call'),
    id: { ...Id, description: 'chosen by the server, returned in the answer' } as typeof Id,
    method: Type.String({ description: 'same grammar as a topic' }),
    data: Type.Unknown(),
    timeoutMs: Type.Integer({ description: 'the server waits for the answer for this time' }),
  }),
  history: Type.Object({
    type: Type.Literal('history'),
    id: Id,
    topic: TopicText,
    epoch: Epoch,
    offset: offset('the answer covers the topic up to here; continue from here'),
    complete: Type.Boolean({
      description: 'true: nothing is missing between the requested position and `offset` (in a keyed topic: only superseded items)',
    }),
    more: Type.Boolean({
      description: 'true: there is more after `offset`, in the next part of this answer or beyond a limit',
    }),
    continues: Type.Optional(Type.Literal(true, { description: 'another part of this answer follows, with the same id' })),
    items: Items,
  }),
  presence: Type.Object({
    type: Type.Literal('presence'),
    id: Type.Optional({
      ...Id,
      description: 'id of the `presence` it answers; absent: to a subscriber that asked for `presence`',
    } as typeof Id),
    topic: TopicText,
    count: Type.Integer({ minimum: 0, description: 'connections that are subscribed, on all nodes' }),
    members: Type.Optional(Type.Array(PresenceMember, { description: 'all members: what was known before is void' })),
    joined: Type.Optional(Type.Array(PresenceMember)),
    left: Type.Optional(Type.Array(PresenceMember, { description: 'without `info`' })),
    membersOmitted: Type.Optional(
      Type.Literal(true, { description: 'the members are too many: until `members` comes again they are only counted' }),
    ),
  }),
  refreshed: Type.Object({
    type: Type.Literal('refreshed'),
    id: Id,
    expiresAtMs: Type.Optional(Type.Number({ description: 'when the new token expires' })),
  }),
  pong: Type.Object({ type: Type.Literal('pong'), t: Type.Optional(Type.Number({ description: 'unchanged' })), serverTimeMs: TimeMs }),
  lagged: Type.Object({
    type: Type.Literal('lagged'),
    topic: TopicText,
    policy: Type.Union([Type.Literal('replay'), Type.Literal('conflate'), Type.Literal('skip'), Type.Literal('close')]),
    skipped: Type.Integer({
      minimum: 0,
      description: 'publications left out for this client: superseded by later ones of their key, or skipped',
    }),
    offset: Type.Optional(offset('with policy `skip`: where the stream continues; what lies between does not come')),
  }),
  resync: Type.Object({
    type: Type.Literal('resync'),
    topic: TopicText,
    epoch: Epoch,
    offset: offset('the new position: the next batch continues after it'),
    upTo: Type.Optional(offset('the rest of the state up to here follows in batches')),
    reason: Type.String({ description: 'text for people' }),
    items: { ...Items, description: 'the state of the topic: the latest item of every key' } as typeof Items,
  }),
  feed: Type.Object({
    type: Type.Literal('feed'),
    live: Type.Boolean({ description: 'false: nothing new arrives until `live: true`' }),
    topic: Type.Optional({
      ...TopicText,
      description: 'only this topic, whose subscription stays; absent: all topics',
    } as typeof TopicText),
    reason: Type.Optional(Type.String({ description: 'with `live: false`: text for people' })),
  }),
  status: Type.Object({
    type: Type.Literal('status'),
    topic: TopicText,
    stale: Type.Boolean({ description: 'true: nothing has been heard of the topic for the time that the namespace allows' }),
    sinceMs: Type.Optional({
      ...TimeMs,
      description: 'with `stale: true`: when the topic was last heard, milliseconds since 1970',
    } as typeof TimeMs),
    reason: Type.Optional(StaleReason),
  }),
  error: Type.Object({
    type: Type.Literal('error'),
    id: Type.Optional({
      ...Id,
      description: 'id of the failed command; absent if it had none, or none that could be read',
    } as typeof Id),
    code: Type.String({ description: 'see Errors' }),
    message: Type.String({ description: 'text for people' }),
    retryable: Type.Boolean({ description: 'the same command may succeed later' }),
    retryAfterMs: Type.Optional(Type.Integer({ minimum: 0, description: 'time to wait before a retry' })),
    topic: Type.Optional({ ...TopicText, description: 'without `id`: the subscription to this topic has ended' } as typeof TopicText),
    service: Type.Optional(
      Type.Literal(true, {
        description: 'a service answered a `call` with this, or a hook refused the command: `code` and `message` are its own',
      }),
    ),
  }),
  closing: Type.Object({
    type: Type.Literal('closing'),
    code: Type.Integer({ description: 'the close code that follows' }),
    reason: Type.String({ description: 'text for people' }),
    reconnectAfterMs: Type.Object(
      { min: Type.Integer({ minimum: 0 }), max: Type.Integer({ minimum: 0 }) },
      { description: 'reconnect at a random moment in this window' },
    ),
  }),
} as const satisfies Record<string, TSchema>;

type ClientMessages = { [K in keyof typeof CLIENT_MESSAGES]: Static<(typeof CLIENT_MESSAGES)[K]> };
type ServerMessages = { [K in keyof typeof SERVER_MESSAGES]: Static<(typeof SERVER_MESSAGES)[K]> };
export type ClientMessageType = keyof ClientMessages;
export type ServerMessageType = keyof ServerMessages;
export type ClientMessage<K extends ClientMessageType = ClientMessageType> = ClientMessages[K];
export type ServerMessage<K extends ServerMessageType = ServerMessageType> = ServerMessages[K];
