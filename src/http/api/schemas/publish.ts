import Type, { type Static } from 'typebox';
import { closed, count, Epoch, JsonValue, KeyName, TopicName } from './common.ts';

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
export type PublishAnswer = Static<typeof PublishAnswer>;
