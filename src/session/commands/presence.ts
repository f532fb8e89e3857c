import { stateFields } from '../../delivery/presence-view.ts';
import type { PresenceState } from '../../presence/union.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import { type Command, namespaceFor } from './command.ts';

/** Of a member in an answer, about; and of one with an info, which has 1 KiB at most. */
const MEMBER_BYTES = 64;
const MEMBER_WITH_INFO_BYTES = 512;

/**
 * `presence`: who is subscribed to a topic, whether or not the client is. An answer may name many members, so a connection has one under way at a time, and it is
 * sent when its socket and the loop turn have room: a client may ask about all its topics at once.
 *
 * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `unsupported`, `hook_failed`, `busy`, `unavailable`
 */
export const presence: Command<'presence'> = async (connection, { id, topic: name }, context) => {
  const { presence, slowConsumers } = context.delivery;
  const topic = parseTopic(name);
  assertMay(connection.identity, 'presence', namespaceFor(context, topic), topic);
  if (presence === undefined) throw new ProtocolError('unsupported', `${topic} has no presence`);
  await context.hooks?.assertMayRead(connection, topic, 'presence');
  const { receiver } = connection;
  await receiver.inTurn(async () => {
    await slowConsumers.whenRoom(receiver);
    if (!connection.isOpen) return;
    const state = await presence.state(topic);
    await slowConsumers.whenTurn(receiver, bytesOf(state));
    if (connection.isOpen) connection.send({ type: 'presence', id, topic, ...stateFields(state) });
  });
};

function bytesOf({ members = [] }: PresenceState): number {
  return members.reduce((sum, { info }) => sum + (info === undefined ? MEMBER_BYTES : MEMBER_WITH_INFO_BYTES), MEMBER_BYTES);
}
