import type { HubClient } from '../../delivery/hub-client.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import { assertKeyFits } from '../../protocol/publish-rules.ts';
import { parseKey, parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import type { Connection } from '../connection.ts';
import { type Command, type CommandContext, namespaceFor } from './command.ts';

type Draft = Parameters<HubClient['publish']>[0];

/**
 * `publish`: passes the publication on to the log, and answers when it is stored. The number of waiting publishes per connection is bounded here, per node in
 * the hub.
 *
 * @throws ProtocolError what PROTOCOL.md names for `publish`
 */
export const publish: Command<'publish'> = (connection, { id, topic: name, key: keyText, data, idempotencyKey }, context) => {
  const { config } = context;
  const topic = parseTopic(name);
  const namespace = assertMay(connection.identity, 'publish', namespaceFor(context, topic), topic);
  assertKeyFits(topic, keyText !== undefined, namespace);
  const key = keyText === undefined ? null : parseKey(keyText);
  const { publishesPerConnectionMax } = config.tuning.commands;
  if (connection.publishesInFlight >= publishesPerConnectionMax) {
    throw new ProtocolError('busy', `${publishesPerConnectionMax} publishes of this connection wait for the log`);
  }
  const user = connection.identity.user ?? '';
  // Not async itself, so that until the answer comes only the packed bytes are kept, not the values from which they were made.
  const info = context.hooks === undefined ? undefined : connection.identity.info;
  const draft = {
    topic,
    key,
    data: packMsgpack(data),
    idempotencyKey,
    user,
    connectionId: connection.id,
    ...(info !== undefined && { info }),
  };
  return store(connection, context, { id, durable: namespace.durable }, draft);
};

async function store(
  connection: Connection,
  { delivery: { hub }, hooks }: Pick<CommandContext, 'delivery' | 'hooks'>,
  { id, durable }: { readonly id: number | undefined; readonly durable: boolean },
  draft: Draft,
): Promise<void> {
  connection.publishesInFlight++;
  try {
    const publish = (allowed: Draft) => hub.publish(allowed);
    const { epoch, offset, duplicate } = await (hooks === undefined ? publish(draft) : hooks.publish(connection, draft, publish));
    if (id !== undefined) connection.send({ type: 'published', id, duplicate, ...(durable && { epoch, offset }) });
  } finally {
    connection.publishesInFlight--;
  }
}
