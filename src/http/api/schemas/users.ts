import Type, { type Static } from 'typebox';
import { closed, count, fromNodes, LEAST, limit, oneOf, prefix, workersSilent } from './common.ts';
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
    total: count(`users that are connected; with \`prefix\`: of those that begin with it. ${LEAST}`),
    users: Type.Array(Type.Object({ user: Type.String(), connections: count('to all nodes that have answered') }, { title: 'User' }), {
      description: 'in the order of their names',
    }),
    next: Type.Optional(Type.String({ description: '`after` of the next page; absent: this is the last page' })),
    ...fromNodes,
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
  { ...closed, ...oneOf('user', 'connectionId', 'tokenId') },
);

const Connection = Type.Object(
  {
    connectionId: Type.String(),
    nodeId: Type.String({ description: 'the node that it is connected to' }),
    user: Type.Union([Type.String(), Type.Null()], { description: 'null: anonymous' }),
    encoding: Type.Union([Type.Literal('json'), Type.Literal('msgpack')]),
    connectedForMs: count('time since it connected, in whole seconds'),
    subscriptions: count('topics that it is subscribed to'),
    topics: Type.Array(Type.String(), { description: 'their names: at most 100' }),
    lagging: Type.Boolean({ description: 'its socket does not keep up now' }),
    bufferedBytes: count('bytes that wait in its socket'),
  },
  { title: 'Connection' },
);

export const ConnectionsAnswer = Type.Object(
  {
    total: count('connections that match'),
    connections: Type.Array(Connection, { description: 'as many of them as `limit` and `tuning.hub.findAnswerBytesMax` permit' }),
    workersSilent,
    ...fromNodes,
  },
  { title: 'Connections' },
);
export type ConnectionsAnswer = Static<typeof ConnectionsAnswer>;
