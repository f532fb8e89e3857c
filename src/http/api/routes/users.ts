import type { Static } from 'typebox';
import { limitOf } from '../limit.ts';
import { route } from '../route.ts';
import { ConnectionsAnswer, ConnectionsQuery, UsersAnswer, UsersQuery } from '../schemas/users.ts';
import type { ConnectionTarget } from '../sources.ts';

const OF_ALL_NODES = 'Of all nodes on the same NATS.';

export const users = route({
  method: 'GET',
  path: '/api/users',
  operationId: 'users',
  summary: 'Users that are connected',
  description: OF_ALL_NODES,
  scope: 'read',
  query: UsersQuery,
  answer: UsersAnswer,
  handle: ({ query }, context) =>
    context.sources.operator.finder.users({ prefix: query.prefix, after: query.after, limit: limitOf(query, context) }),
});

export const connections = route({
  method: 'GET',
  path: '/api/connections',
  operationId: 'connections',
  summary: 'The connections of a user or of a token, or one connection',
  description: `Exactly one of \`user\`, \`connectionId\` and \`tokenId\` is required. ${OF_ALL_NODES}`,
  scope: 'read',
  query: ConnectionsQuery,
  answer: ConnectionsAnswer,
  handle: ({ query }, context) => context.sources.operator.finder.connections(targetOf(query), limitOf(query, context)),
});

/** The schema has seen that it is exactly one. */
function targetOf({ user, connectionId, tokenId = '' }: Static<typeof ConnectionsQuery>): ConnectionTarget {
  if (user !== undefined) return { user };
  return connectionId !== undefined ? { connectionId } : { tokenId };
}
