import { route } from '../route.ts';
import { DisconnectBody, OrderAnswer, RevokeBody, UnsubscribeBody } from '../schemas/ending.ts';

const ON_ALL_NODES = 'All nodes on the same NATS carry it out.';

export const disconnect = route({
  method: 'POST',
  path: '/api/disconnect',
  operationId: 'disconnect',
  summary: 'Close connections',
  description: ON_ALL_NODES,
  scope: 'admin',
  body: DisconnectBody,
  answer: OrderAnswer,
  handle: ({ body }, { sources }) => sources.operator.control.order({ ...body, action: 'disconnect' }),
});

export const unsubscribe = route({
  method: 'POST',
  path: '/api/unsubscribe',
  operationId: 'unsubscribe',
  summary: 'End subscriptions to a topic',
  description: `${ON_ALL_NODES} The clients may subscribe again if their tokens permit it.`,
  scope: 'admin',
  body: UnsubscribeBody,
  answer: OrderAnswer,
  errors: ['bad_topic'],
  handle: ({ body }, { sources }) => sources.operator.control.order({ ...body, action: 'unsubscribe' }),
});

export const revoke = route({
  method: 'POST',
  path: '/api/revoke',
  operationId: 'revoke',
  summary: 'Revoke tokens',
  description: `${ON_ALL_NODES} They close the connections of these tokens with 4011, and refuse the tokens from then on. This needs \`auth.revocations\`.`,
  scope: 'admin',
  body: RevokeBody,
  answer: OrderAnswer,
  errors: ['unavailable'],
  handle({ body }, { sources }) {
    return sources.operator.control.order({ ...body, action: 'revoke' });
  },
});
