import Type, { type Static } from 'typebox';
import { closed, count, JsonValue, TopicName } from './common.ts';

export const PresenceQuery = Type.Object({ topic: TopicName }, closed);

const Member = Type.Object(
  {
    user: Type.Optional(Type.String({ description: 'absent: an anonymous client' })),
    connectionId: Type.Optional(Type.String({ description: 'of an anonymous client: each of its connections is a member' })),
    info: Type.Optional(JsonValue("the claim `stentor.info` of the member's token")),
  },
  { title: 'Member' },
);

export const PresenceAnswer = Type.Object(
  {
    topic: Type.String(),
    count: count('connections that are subscribed, on all nodes'),
    members: Type.Optional(Type.Array(Member, { description: 'where the namespace has `presence: members`' })),
    membersOmitted: Type.Optional(Type.Literal(true, { description: 'the members are too many: they are only counted' })),
  },
  { title: 'Presence' },
);
export type PresenceAnswer = Static<typeof PresenceAnswer>;
