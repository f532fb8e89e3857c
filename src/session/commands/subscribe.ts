import type { NamespaceOptions } from '../../config/schema.ts';
import type { Wish } from '../../delivery/subscriptions.ts';
import { memberOf } from '../../presence/member.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { type FeedName, isPattern, parseFeedName } from '../../protocol/feed-name.ts';
import { hasDocuments } from '../../protocol/feed-state.ts';
import { assertTimeRange } from '../../protocol/time-range.ts';
import { assertMay } from '../access.ts';
import type { Connection } from '../connection.ts';
import { askThenSubscribe } from '../hooks/ask-then-subscribe.ts';
import { assertSelection } from '../selection.ts';
import { type Command, type CommandContext, namespaceFor } from './command.ts';

/**
 * `subscribe`: starts a subscription, or changes one. Delivery answers it, because `subscribed` contains the first items of the stream.
 *
 * @throws ProtocolError `bad_topic`, `bad_key`, `key_not_allowed`, `unknown_namespace`, `unauthorized`, `forbidden`, `unsupported` (presence, where the namespace has none; `sinceMs` of an ephemeral topic; `echo: false`, where it has documents, or with `delta`; `fields`, where it has no documents; `filter`, where it has), `too_many_topics`,
 * `too_many_selections`, `busy`, `unavailable`, `hook_failed`, `not_subscribed` (superseded by a later command)
 */
export const subscribe: Command<'subscribe'> = (connection, message, context) => {
  const { identity, receiver } = connection;
  const { config } = context;
  const topic = parseFeedName(message.topic, message.key);
  const namespace = assertMay(identity, 'subscribe', namespaceFor(context, topic), topic);
  assertTimeRange(message);
  if (message.sinceMs !== undefined && !namespace.durable)
    throw new ProtocolError('unsupported', `sinceMs: ${topic} is ephemeral, it has no log`);
  if (message.presence === true) assertMay(identity, 'presence', namespace, topic);

  assertRoom(receiver.subscriptions, topic, config.limits);
  if (context.hooks?.asksAboutSubscriptions(topic) !== true) return begin(connection, topic, namespace, message, context);
  return askThenSubscribe(connection, topic, message, context, (wish) => begin(connection, topic, namespace, wish, context));
};

/** A node has few patterns, so a connection may have fewer of them than of topics. @throws ProtocolError `too_many_topics` */
function assertRoom(
  subscriptions: Connection['receiver']['subscriptions'],
  topic: FeedName,
  { topicsPerConnectionMax, patternsPerConnectionMax }: CommandContext['config']['limits'],
): void {
  const { size } = subscriptions;
  // Nearly always. What it has already may be changed.
  if (size < Math.min(topicsPerConnectionMax, patternsPerConnectionMax) || subscriptions.has(topic)) return;
  if (size >= topicsPerConnectionMax) throw new ProtocolError('too_many_topics', `at most ${topicsPerConnectionMax} topics per connection`);
  if (!isPattern(topic)) return;
  let patterns = 0;
  for (const name of subscriptions.keys()) if (isPattern(name)) patterns++;
  if (patterns >= patternsPerConnectionMax)
    throw new ProtocolError('too_many_topics', `at most ${patternsPerConnectionMax} patterns per connection`);
}

function begin(
  connection: Connection,
  topic: FeedName,
  namespace: NamespaceOptions,
  wish: Wish,
  context: CommandContext,
): Promise<void> | undefined {
  const { subscriptions } = context.delivery;
  // Also if a hook wants it.
  if (wish.echo === false && hasDocuments(namespace))
    throw new ProtocolError('unsupported', `${topic} has a document: without its own changes a client would have another one`);
  if (wish.echo === false && wish.delta === true)
    throw new ProtocolError('unsupported', 'echo: false cannot be combined with delta: a change is one of the value before it');
  assertSelection(topic, namespace, wish);
  if (namespace.presence === 'off') return subscriptions.subscribe(connection.receiver, topic, wish);
  // Who it is when it joins: a token may come meanwhile.
  const member = () => memberOf(connection.identity.user, connection.id, connection.identity.info);
  return subscriptions.subscribe(connection.receiver, topic, { ...wish, member });
}
