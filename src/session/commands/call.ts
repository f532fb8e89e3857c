import type { HubClient } from '../../delivery/hub-client.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { packMsgpack, unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { takeToken } from '../../telemetry/rate-limit.ts';
import { assertMay } from '../access.ts';
import type { Connection } from '../connection.ts';
import type { Command } from './command.ts';

const CALL_TIMEOUT_MS = 5000;

type Question = Parameters<HubClient['call']>[0];

/**
 * `call`: passes the call on to the service that answers the method. The number of unanswered calls per connection is bounded here, per node in the hub.
 *
 * @throws ProtocolError what PROTOCOL.md names for `call`
 */
export const call: Command<'call'> = (connection, { id, method: name, data = null, timeoutMs = CALL_TIMEOUT_MS }, { config, delivery }) => {
  const method = parseTopic(name);
  const { identity } = connection;
  assertMay(identity, 'call', undefined, method);
  const { callsPerConnectionMax, callTimeoutMaxMs } = config.tuning.commands;
  const { callsPerSecondMax } = config.limits;
  if (connection.callsInFlight >= callsPerConnectionMax) {
    throw new ProtocolError('busy', `${callsPerConnectionMax} calls of this connection are unanswered`);
  }
  if (callsPerSecondMax > 0) {
    connection.callBucket ??= { rateTokens: Number.POSITIVE_INFINITY, rateAtMs: 0 };
    const retryAfterMs = takeToken(connection.callBucket, callsPerSecondMax, Date.now());
    if (retryAfterMs > 0) throw new ProtocolError('too_many_calls', `${callsPerSecondMax} calls a second`, { retryAfterMs });
  }
  // Not async itself, so that until the answer comes only the packed bytes are kept, not the values from which they were made.
  const question = {
    method,
    data: packMsgpack(data),
    timeoutMs: Math.min(timeoutMs, callTimeoutMaxMs),
    user: identity.user ?? '',
    connectionId: connection.id,
  };
  return ask(connection, delivery.hub, id, question);
};

async function ask(connection: Connection, hub: Pick<HubClient, 'call'>, id: number, question: Question): Promise<void> {
  connection.callsInFlight++;
  try {
    const answer = await hub.call(question);
    if (answer.kind === 'result') return connection.send({ type: 'result', id, data: unpackMsgpack(answer.data) });
    // This is an answer, not a failure of the command: it does not count towards the limit of errors.
    const { code, message } = answer;
    connection.send({ type: 'error', id, code, message, retryable: false, service: true });
  } finally {
    connection.callsInFlight--;
  }
}
