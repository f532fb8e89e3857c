import Type, { type Static } from 'typebox';
import { closed, fromNodes, JsonValue, oneOf, TopicName, workersSilent } from './common.ts';
import { ConnectionId, User } from './ending.ts';
import { Refusal } from './refusal.ts';

export const SendBody = Type.Object(
  {
    namespace: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,64}$',
        description: 'to every connection that is subscribed to a topic of this namespace, on all nodes',
      }),
    ),
    connectionId: Type.Optional(ConnectionId),
    data: JsonValue('any JSON value, at most 60 levels of nesting. Integers keep all their digits'),
    volatile: Type.Optional(Type.Boolean({ description: 'true: dropped if the socket does not keep up now. To a namespace it always is' })),
  },
  { ...closed, ...oneOf('namespace', 'connectionId'), title: 'Send' },
);

export const SendAnswer = Type.Object(
  {
    delivered: Type.Optional(
      Type.Boolean({
        description:
          'whether it was passed to the socket; false: it was volatile, and the socket did not keep up. Absent: to a namespace, where nobody counts',
      }),
    ),
  },
  { title: 'Sent' },
);
export type SendAnswer = Static<typeof SendAnswer>;

export const CallBody = Type.Object(
  {
    connectionId: Type.Optional(ConnectionId),
    user: Type.Optional({ ...User, description: '`sub` of a token: all connections of this user, on all nodes' } as typeof User),
    method: TopicName,
    data: Type.Optional(JsonValue('any JSON value, at most 60 levels of nesting; absent: null')),
    timeoutMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 60_000, default: 5000, description: '`tuning.commands.callTimeoutMaxMs` bounds it too' }),
    ),
  },
  { ...closed, ...oneOf('connectionId', 'user'), title: 'CallClients' },
);

const ClientResult = Type.Object(
  { connectionId: Type.String(), data: JsonValue('what the handler of the client answered') },
  { title: 'ClientResult' },
);
const ClientError = Type.Object({ connectionId: Type.String(), ...Refusal.properties }, { title: 'ClientError' });

/** Of a user's connections. Of a connection, only its own node is asked. */
const searched = {
  nodes: Type.Optional(fromNodes.nodes),
  nodesSilent: Type.Optional(fromNodes.nodesSilent),
  workersSilent: Type.Optional(workersSilent),
};

export const CallAnswer = Type.Object(
  {
    answers: Type.Array(Type.Union([ClientResult, ClientError]), {
      description:
        'of each connection, at most `tuning.sending.callConnectionsMax`; none if the user has no connection. Codes of errors: `no_handler`, `timeout`, `connection_closed`, `no_such_connection`, `answer_too_large`, `bad_answer`, `busy`, `unavailable`, or the handler’s own',
    }),
    ...searched,
  },
  { title: 'CalledClients' },
);
export type CallAnswer = Static<typeof CallAnswer>;
