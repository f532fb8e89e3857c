import Type, { type TSchema } from 'typebox';
import { Epoch, Id, Items, OnlyKey, offset, PresenceMember, Stale, StaleReason, TimeMs, TopicText } from './fields.ts';

/** What the server sends, by type. */
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
        topicsPerStreamMax: Type.Optional(Type.Integer({ description: 'maximum topics of one stream of events; only there' })),
      },
      { description: 'limits of this connection' },
    ),
  }),
  subscribed: Type.Object({
    type: Type.Literal('subscribed'),
    id: Id,
    topic: TopicText,
    key: OnlyKey,
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
  unsubscribed: Type.Object({ type: Type.Literal('unsubscribed'), id: Id, topic: TopicText, key: OnlyKey }),
  batch: Type.Object({
    type: Type.Literal('batch'),
    topic: TopicText,
    key: OnlyKey,
    epoch: Epoch,
    prev: offset("the topic's offset just before the range that the batch covers"),
    sentAtMs: TimeMs,
    conflated: Type.Optional(
      Type.Integer({ minimum: 1, description: 'publications of the range that were left out for later ones of their key' }),
    ),
    continues: Type.Optional(
      Type.Literal(true, {
        description:
          'of a topic with a document for each key: another batch of the same range follows, and until its last one the position stays',
      }),
    ),
    items: Items,
  }),
  part: Type.Object({
    type: Type.Literal('part'),
    topic: TopicText,
    key: OnlyKey,
    part: Type.Integer({ minimum: 1, description: 'its number: they come in order, from 1' }),
    parts: Type.Integer({ minimum: 1, description: 'how many there are' }),
    data: Type.Unknown({ description: 'a piece of the `batch`: bytes of its MessagePack, or of its JSON as text' }),
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
    key: OnlyKey,
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
    key: OnlyKey,
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
    key: OnlyKey,
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
    key: OnlyKey,
    reason: Type.Optional(Type.String({ description: 'with `live: false`: text for people' })),
  }),
  status: Type.Object({
    type: Type.Literal('status'),
    topic: TopicText,
    stale: Type.Boolean({ description: 'true: nothing has been heard of the topic for the time that the namespace allows' }),
    sinceMs: Type.Optional({
      ...TimeMs,
      description: 'with `stale: true`: when the topic was last heard, whole milliseconds since 1970',
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
    key: OnlyKey,
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
