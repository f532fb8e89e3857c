import type { Wish } from '../../delivery/subscriptions.ts';
import { HookDenied } from '../../hooks/denied.ts';
import type { AskedOptions } from '../../hooks/types.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { FeedName } from '../../protocol/feed-name.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { assertMay } from '../access.ts';
import { type CommandContext, namespaceFor } from '../commands/command.ts';
import type { Connection } from '../connection.ts';
import { selectionIn } from '../selection.ts';

/**
 * Subscribes if the hook allows it, with the options of its answer. While the hook is asked, the topic is reserved:
 * `unsubscribe` ends the reservation, and another `subscribe` takes it over. An existing subscription continues meanwhile; if the hook denies the second `subscribe`, it ends.
 */
export async function askThenSubscribe(
  connection: Connection,
  topic: FeedName,
  message: ClientMessage<'subscribe'>,
  context: CommandContext,
  start: (wish: Wish) => Promise<void> | undefined,
): Promise<void> {
  const { hooks, delivery } = context;
  const { receiver } = connection;
  const mine = {};
  connection.asking ??= new Map();
  connection.asking.set(topic, mine);
  delivery.subscriptions.reserve(receiver, topic);
  const isLast = () => connection.asking?.get(topic) === mine;
  const wanted = optionsOf(message);
  try {
    const allowed = await hooks?.assertMaySee(connection, topic, 'subscribe', wanted);
    if (!connection.isOpen) return;
    if (!isLast() || !receiver.subscriptions.has(topic)) {
      throw new ProtocolError('not_subscribed', 'another subscribe or unsubscribe of the topic came before this one was completed');
    }
    const options = { ...wanted, ...allowed?.options };
    // The token may have changed meanwhile, and the hook's options may ask for presence where the namespace has none.
    const namespace = assertMay(connection.identity, 'subscribe', namespaceFor(context, topic), topic);
    if (options.presence === true) assertMay(connection.identity, 'presence', namespace, topic);
    if (allowed !== undefined) hooks?.approved(connection, topic, wanted, allowed);
    const subscribed = start({ ...message, ...options });
    connection.asking?.delete(topic);
    await subscribed;
  } catch (error) {
    if (isLast()) {
      if (error instanceof HookDenied) delivery.subscriptions.end(receiver, topic);
      else delivery.subscriptions.letGo(receiver, topic);
    }
    throw error;
  } finally {
    if (isLast()) connection.asking?.delete(topic);
  }
}

function optionsOf(message: ClientMessage<'subscribe'>): AskedOptions {
  const { snapshot, maxRateHz, echo, timestamps, presence, delta } = message;
  return {
    ...(snapshot !== undefined && { snapshot }),
    ...(maxRateHz !== undefined && { maxRateHz }),
    ...(echo !== undefined && { echo }),
    ...(timestamps !== undefined && { timestamps }),
    ...(presence !== undefined && { presence }),
    ...(delta !== undefined && { delta }),
    ...selectionIn(message),
  };
}
