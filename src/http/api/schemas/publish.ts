import Type, { type Static } from 'typebox';
import { TagsSchema } from '../../../protocol/fields.ts';
import { TIME_MS_MAX } from '../../../protocol/time-range.ts';
import { closed, count, Epoch, JsonValue, KeyName, oneOf, TopicName } from './common.ts';
import { ConnectionId, User } from './ending.ts';
import { Refusal } from './refusal.ts';

export const PublishBody = Type.Object(
  {
    topic: Type.Optional(TopicName),
    user: Type.Optional({ ...User, description: '`sub` of a token: to the topic of this user, `user.<sub>`' } as typeof User),
    key: Type.Optional(KeyName),
    data: JsonValue('the publication: any JSON value, at most 60 levels of nesting. Integers keep all their digits'),
    image: Type.Optional(Type.Boolean({ description: 'true, where there are documents: `data` is the whole document, not a merge patch' })),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description:
          'publications to a durable topic with the same key are stored once, within the time that the log remembers message ids',
      }),
    ),
    exceptConnection: Type.Optional({
      ...ConnectionId,
      description: 'not to this connection, which the publication comes from: to all but the sender',
    } as typeof ConnectionId),
    volatile: Type.Optional(
      Type.Boolean({
        description: 'true: not kept, and not for subscribers whose sockets do not keep up now; only in ephemeral namespaces',
      }),
    ),
    eventAtMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: TIME_MS_MAX,
        description: 'when it happened, milliseconds since 1970: subscribers get it as `meta.eventAtMs`',
      }),
    ),
    tags: Type.Optional({ ...TagsSchema, description: 'by which subscribers filter; they get them as `meta.tags`' } as typeof TagsSchema),
  },
  { ...closed, ...oneOf('topic', 'user'), title: 'Publication' },
);

export const PublishAnswer = Type.Object(
  {
    epoch: Epoch,
    offset: count('where it is stored; for a duplicate, where the first one is. 0 in ephemeral namespaces'),
    duplicate: Type.Boolean({ description: 'true: the idempotency key was used before, and nothing was stored now' }),
  },
  { title: 'Published' },
);
export const PublishManyBody = Type.Object(
  {
    publications: Type.Array(PublishBody, {
      minItems: 1,
      maxItems: 100_000,
      description: 'at most `tuning.admin.publicationsPerRequestMax`',
    }),
  },
  { ...closed, title: 'PublishMany' },
);

/** What the body as a whole must be: each publication is checked by itself, and has its own outcome. */
export const PublishManyFrame = Type.Object({ publications: Type.Array(Type.Unknown(), { minItems: 1 }) }, closed);

export const PublishManyAnswer = Type.Object(
  {
    outcomes: Type.Array(Type.Union([PublishAnswer, Refusal]), { description: 'of each publication, in the order of the request' }),
  },
  { title: 'PublishedMany' },
);

export type PublishAnswer = Static<typeof PublishAnswer>;
