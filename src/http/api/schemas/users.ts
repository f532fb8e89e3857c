import Type, { type Static } from 'typebox';
import { closed, count, limit, prefix } from './common.ts';
import { ConnectionId, TokenId, User } from './ending.ts';

export const UsersQuery = Type.Object(
  {
    prefix: Type.Optional(prefix('users')),
    after: Type.Optional(Type.String({ maxLength: 256, description: 'users after this one, as `next` said' })),
    limit: Type.Optional(limit('users')),
  },
  closed,
);

export const UsersAnswer = Type.Object(
  {
    total: count('users that have connections to this node; with `prefix`: of those that begin with it'),
    users: Type.Array(Type.Object({ user: Type.String(), connections: count('to this node') }, { title: 'User' }), {
      description: 'in the order of their names',
    }),
    next: Type.Optional(Type.String({ description: '`after` of the next page; absent: this is the last page' })),
  },
  { title: 'Users' },
);
export type UsersAnswer = Static<typeof UsersAnswer>;

export const ConnectionsQuery = Type.Object(
  {
    user: Type.Optional(User),
    connectionId: Type.Optional(ConnectionId),
    tokenId: Type.Optional(TokenId),
    limit: Type.Optional(limit('connections')),
  },
  closed,
);

const Connection = Type.Object(
  {
    connectionId: Type.String(),
    user: Type.Union([Type.String(), Type.Null()], { description: 'null: anonymous' }),
    encoding: Type.Union([Type.Literal('json'), Type.Literal('msgpack')]),
    subscriptions: count('topics that it is subscribed to'),
    topics: Type.Array(Type.String(), { description: 'their names: at most 100' }),
    lagging: Type.Boolean({ description: 'its socket does not keep up now' }),
    bufferedBytes: count('bytes that wait in its socket'),
  },
  { title: 'Connection' },
);

export const ConnectionsAnswer = Type.Object(
  {
    total: count('connections to this node that match'),
    connections: Type.Array(Connection),
    workersSilent: count('workers that did not answer within 3 s. Their connections are missing'),
  },
  { title: 'Connections' },
);
export type ConnectionsAnswer = Static<typeof ConnectionsAnswer>;
