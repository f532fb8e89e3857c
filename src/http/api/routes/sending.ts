import type { Static } from 'typebox';
import { packMsgpack } from '../../../protocol/msgpack-codec.ts';
import { route } from '../route.ts';
import { CallAnswer, CallBody, SendAnswer, SendBody } from '../schemas/sending.ts';
import type { ApiContext } from '../sources.ts';

/** Bytes of a request besides its data, which as JSON is longer than as MessagePack. */
const ENVELOPE_BYTES_MAX = 4096;
const JSON_FACTOR = 2;

const bodyBytesMax = ({ sources: { config } }: ApiContext) => ENVELOPE_BYTES_MAX + JSON_FACTOR * config.tuning.sending.messageBytesMax;

export const send = route({
  method: 'POST',
  path: '/api/send',
  operationId: 'send',
  summary: 'Send to one connection, or to every connection of a namespace',
  description: 'Ephemeral: it is in no topic and in no log, and is delivered at most once. Clients get it as a `message`.',
  scope: 'publish',
  body: SendBody,
  answer: SendAnswer,
  errors: ['no_such_connection', 'unknown_namespace', 'bad_payload', 'timeout', 'unavailable'],
  bodyBytesMax,
  handle: async ({ body: { namespace, connectionId, data, volatile = false } }, { sources }): Promise<SendAnswer> => {
    const packed = packMsgpack(data);
    if (connectionId !== undefined) return { delivered: await sources.operator.sender.toConnection(connectionId, packed, volatile) };
    await sources.operator.sender.toNamespace(namespace as string, packed);
    return {};
  },
});

export const call = route({
  method: 'POST',
  path: '/api/call',
  operationId: 'call',
  summary: 'Call a client, or all connections of a user, and wait for their answers',
  description: 'A call is sent once. Without an answer it may have been carried out.',
  scope: 'publish',
  body: CallBody,
  answer: CallAnswer,
  errors: ['bad_topic', 'bad_payload', 'no_such_connection', 'unavailable'],
  bodyBytesMax,
  handle: ({ body: { method, data = null, timeoutMs, ...target } }, { sources }) =>
    sources.operator.sender.call({ target: targetOf(target), method, data: packMsgpack(data), timeoutMs }),
});

/** The schema has seen that it is exactly one. */
function targetOf({ connectionId, user = '' }: Pick<Static<typeof CallBody>, 'connectionId' | 'user'>) {
  return connectionId === undefined ? { user } : { connectionId };
}
