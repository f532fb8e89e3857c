import { stateFields } from '../../delivery/presence-view.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import { type Command, namespaceFor } from './command.ts';

/**
 * `presence`: who is subscribed to a topic, whether or not the client is.
 *
 * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `unsupported`, `hook_failed`, `busy`, `unavailable`
 */
export const presence: Command<'presence'> = async (connection, { id, topic: name }, context) => {
  const { presence, slowConsumers } = context.delivery;
  const topic = parseTopic(name);
  assertMay(connection.identity, 'presence', namespaceFor(context, topic), topic);
  if (presence === undefined) throw new ProtocolError('unsupported', `${topic} has no presence`);
  await context.hooks?.assertMayRead(connection, topic, 'presence');
  await slowConsumers.whenRoom(connection.receiver);
  const state = await presence.state(topic);
  if (connection.isOpen) connection.send({ type: 'presence', id, topic, ...stateFields(state) });
};
