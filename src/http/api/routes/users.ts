import type { Static } from 'typebox';
import { ProtocolError } from '../../../protocol/errors.ts';
import { limitOf } from '../limit.ts';
import { route } from '../route.ts';
import { ConnectionsAnswer, ConnectionsQuery, UsersAnswer, UsersQuery } from '../schemas/users.ts';
import type { ConnectionTarget } from '../sources.ts';

const OF_THIS_NODE = 'Only of the node that answers: ask each node.';

export const users = route({
  method: 'GET',
  path: '/api/users',
  operationId: 'users',
  summary: 'Users that are connected to this node',
  description: OF_THIS_NODE,
  scope: 'read',
  query: UsersQuery,
  answer: UsersAnswer,
  handle: ({ query }, context) => context.sources.users({ prefix: query.prefix, after: query.after, limit: limitOf(query, context) }),
});

export const connections = route({
  method: 'GET',
  path: '/api/connections',
  operationId: 'connections',
  summary: 'The connections of a user or of a token, or one connection',
  description: `Exactly one of \`user\`, \`connectionId\` and \`tokenId\` is required. ${OF_THIS_NODE}`,
  scope: 'read',
  query: ConnectionsQuery,
  answer: ConnectionsAnswer,
  handle: ({ query }, context) => context.sources.connections(targetOf(query), limitOf(query, context)),
});

function targetOf({ user, connectionId, tokenId }: Static<typeof ConnectionsQuery>): ConnectionTarget {
  const targets: ConnectionTarget[] = [];
  if (user !== undefined) targets.push({ user });
  if (connectionId !== undefined) targets.push({ connectionId });
  if (tokenId !== undefined) targets.push({ tokenId });
  const [target] = targets;
  if (target === undefined || targets.length > 1) throw new ProtocolError('bad_message', 'expected one of user, connectionId and tokenId');
  return target;
}
