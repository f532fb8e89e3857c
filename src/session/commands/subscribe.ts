import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import { type Command, namespaceFor } from './command.ts';

/**
 * `subscribe`: begins a subscription, or changes one. Delivery answers it, since `subscribed` brings what the stream begins with.
 *
 * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `too_many_topics`, `busy`, `unavailable`,
 * `not_subscribed` (the client has changed its mind meanwhile)
 */
export const subscribe: Command<'subscribe'> = ({ identity, receiver }, message, context) => {
  const { config, delivery } = context;
  const topic = parseTopic(message.topic);
  assertMay(identity, 'subscribe', namespaceFor(context, topic), topic);
  const { topicsPerConnectionMax } = config.limits;
  if (receiver.subscriptions.size >= topicsPerConnectionMax && !receiver.subscriptions.has(topic)) {
    throw new ProtocolError('too_many_topics', `${topicsPerConnectionMax} topics a connection`);
  }
  return delivery.subscriptions.subscribe(receiver, topic, message);
};
