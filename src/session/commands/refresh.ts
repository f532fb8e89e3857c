import { memberOf } from '../../presence/member.ts';
import { addressOf } from '../../protocol/feed-name.ts';
import { assertAllowed, decide, decideRefresh } from '../access.ts';
import { askedBy } from '../refusal-log.ts';
import { type Command, namespaceFor } from './command.ts';

/**
 * `refresh`: replaces the connection's token. Subscriptions that the new token does not permit end.
 *
 * @throws ProtocolError `unauthorized`, `token_expired`, `token_revoked`, `forbidden` (another user's), `hook_failed`, `busy`, `unavailable`
 */
export const refresh: Command<'refresh'> = async (connection, message, context) => {
  const { id, token } = message;
  const { authentication, delivery } = context;
  const { receiver } = connection;
  const identity = await authentication.verify(token);
  assertAllowed(decideRefresh(connection.identity, identity));
  // The connection was accepted as another user, or as anonymous.
  const isOther = identity.user !== connection.identity.user;
  const allowed = isOther ? await authentication.assertMayConnect(connection, identity) : undefined;
  // While the hook was asked, another `refresh` may have given the connection a user.
  assertAllowed(decideRefresh(connection.identity, identity));
  if (!(await authentication.accept(connection, identity, askedBy(message), allowed))) return;
  delivery.presence?.became(receiver, memberOf(identity.user, connection.id, identity.info));
  const forbidden = [...receiver.subscriptions.keys()].filter(
    (topic) => !decide(identity, 'subscribe', namespaceFor(context, topic), topic).allowed,
  );
  for (const topic of forbidden) delivery.subscriptions.end(receiver, topic);
  for (const topic of forbidden) {
    const text = `the refreshed token does not permit ${topic}; the subscription has ended`;
    connection.send({ type: 'error', code: 'forbidden', message: text, retryable: false, ...addressOf(topic) });
  }
  const { expiresAtMs } = identity;
  connection.send({ type: 'refreshed', id, ...(expiresAtMs !== undefined && { expiresAtMs }) });
};
