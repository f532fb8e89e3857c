import Type, { type Static } from 'typebox';
import { closed, count, Epoch, JsonValue, KeyName, TopicName } from './common.ts';
import { Refusal } from './refusal.ts';

export const PublishBody = Type.Object(
  {
    topic: TopicName,
    key: Type.Optional(KeyName),
    data: JsonValue('the publication: any JSON value, at most 60 levels of nesting. Integers keep all their digits'),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description:
          'publications to a durable topic with the same key are stored once, within the time that the log remembers message ids',
      }),
    ),
  },
  { ...closed, title: 'Publication' },
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
