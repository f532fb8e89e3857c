import { memberOf } from '../../presence/member.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import { type Command, namespaceFor } from './command.ts';

/**
 * `subscribe`: starts a subscription, or changes one. Delivery answers it, because `subscribed` contains the first items of the stream.
 *
 * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `unsupported` (presence, where the namespace has none), `too_many_topics`,
 * `busy`, `unavailable`, `not_subscribed` (superseded by a later command)
 */
export const subscribe: Command<'subscribe'> = (connection, message, context) => {
  const { identity, receiver } = connection;
  const { config, delivery } = context;
  const topic = parseTopic(message.topic);
  const namespace = assertMay(identity, 'subscribe', namespaceFor(context, topic), topic);
  if (message.presence === true) assertMay(identity, 'presence', namespace, topic);
  const { topicsPerConnectionMax } = config.limits;
  if (receiver.subscriptions.size >= topicsPerConnectionMax && !receiver.subscriptions.has(topic)) {
    throw new ProtocolError('too_many_topics', `at most ${topicsPerConnectionMax} topics per connection`);
  }
  if (namespace.presence === 'off') return delivery.subscriptions.subscribe(receiver, topic, message);
  // Who it is when it joins: a token may come meanwhile.
  const member = () => memberOf(connection.identity.user, connection.id, connection.identity.info);
  return delivery.subscriptions.subscribe(receiver, topic, { ...message, member });
};
