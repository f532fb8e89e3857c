import { ProtocolError } from '../../protocol/errors.ts';
import { addressOf, parseFeedName } from '../../protocol/feed-name.ts';
import type { Command } from './command.ts';

/** `unsubscribe`: ends a subscription, also one that has not been answered yet. @throws ProtocolError `bad_topic`, `bad_key`, `not_subscribed` */
export const unsubscribe: Command<'unsubscribe'> = (connection, message, { delivery }) => {
  const topic = parseFeedName(message.topic, message.key);
  if (!delivery.subscriptions.end(connection.receiver, topic)) throw new ProtocolError('not_subscribed', `not subscribed to ${topic}`);
  connection.send({ type: 'unsubscribed', id: message.id, ...addressOf(topic) });
};
