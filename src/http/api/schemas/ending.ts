import Type from 'typebox';
import { closed, count, fromNodes, oneOf, TopicName } from './common.ts';

const text = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, description });
export const User = text(256, '`sub` of the token');
export const ConnectionId = text(128, 'as `connected` told the client');
export const TokenId = text(256, '`jti` of the token');
const reason = Type.Optional(text(123, 'text for the client, at most 123 bytes'));

export const DisconnectBody = Type.Object(
  {
    user: Type.Optional(User),
    connectionId: Type.Optional(ConnectionId),
    tokenId: Type.Optional(TokenId),
    reason,
    reconnect: Type.Optional(Type.Boolean({ description: 'true: close with 4105, and clients come back; else with 4010' })),
  },
  { ...closed, ...oneOf('user', 'connectionId', 'tokenId'), title: 'Disconnect' },
);

export const UnsubscribeBody = Type.Object(
  {
    user: Type.Optional(User),
    connectionId: Type.Optional(ConnectionId),
    tokenId: Type.Optional(TokenId),
    topic: TopicName,
    reason,
  },
  { ...closed, ...oneOf('user', 'connectionId', 'tokenId'), title: 'Unsubscribe' },
);

export const RevokeBody = Type.Object(
  {
    user: Type.Optional(User),
    tokenId: Type.Optional(TokenId),
    issuedBeforeMs: Type.Optional(count('with `user`: milliseconds since 1970, at most a minute ahead of now; default: now')),
  },
  { ...closed, ...oneOf('user', 'tokenId'), title: 'Revoke' },
);

export const OrderAnswer = Type.Object(
  {
    ...fromNodes,
    connections: count('connections of these nodes that were affected'),
  },
  { title: 'Ended' },
);
