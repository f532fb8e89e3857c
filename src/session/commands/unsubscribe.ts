import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import type { Command } from './command.ts';

/** `unsubscribe`: ends a subscription, also one that has not been answered yet. @throws ProtocolError `bad_topic`, `not_subscribed` */
export const unsubscribe: Command<'unsubscribe'> = (connection, message, { delivery }) => {
  const topic = parseTopic(message.topic);
  if (!delivery.subscriptions.end(connection.receiver, topic)) throw new ProtocolError('not_subscribed', `not subscribed to ${topic}`);
  connection.send({ type: 'unsubscribed', id: message.id, topic });
};
