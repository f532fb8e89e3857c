import { ProtocolError } from '../../protocol/errors.ts';
import { parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import { type Command, namespaceFor } from './command.ts';

/**
 * `subscribe`: starts a subscription, or changes one. Delivery answers it, because `subscribed` contains the first items of the stream.
 *
 * @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `too_many_topics`, `busy`, `unavailable`, `not_subscribed` (superseded
 * by a later command)
 */
export const subscribe: Command<'subscribe'> = ({ identity, receiver }, message, context) => {
  const { config, delivery } = context;
  const topic = parseTopic(message.topic);
  assertMay(identity, 'subscribe', namespaceFor(context, topic), topic);
  const { topicsPerConnectionMax } = config.limits;
  if (receiver.subscriptions.size >= topicsPerConnectionMax && !receiver.subscriptions.has(topic)) {
    throw new ProtocolError('too_many_topics', `at most ${topicsPerConnectionMax} topics per connection`);
  }
  return delivery.subscriptions.subscribe(receiver, topic, message);
};
