import type { HubClient } from '../../delivery/hub-client.ts';
import { isMap } from '../../document/value.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { KEY_MARK } from '../../protocol/feed-name.ts';
import { hasDocuments } from '../../protocol/feed-state.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import { assertKeyFits, assertVolatileFits } from '../../protocol/publish-rules.ts';
import { parseKey, parseTopic } from '../../protocol/topic.ts';
import { assertMay } from '../access.ts';
import type { Connection } from '../connection.ts';
import type { Identity } from '../identity.ts';
import { type Command, type CommandContext, namespaceFor } from './command.ts';

type Draft = Parameters<HubClient['publish']>[0];

/** Who publishes: a connection, or a request without one. */
export interface PublishingClient {
  readonly id: string;
  readonly identity: Identity;
  publishesInFlight: number;
}

/** Where a publication is stored; no position in ephemeral topics. */
export interface Published {
  readonly duplicate: boolean;
  readonly epoch?: string;
  readonly offset?: number;
}

/** `publish`: passes the publication on to the log, and answers when it is stored. @throws ProtocolError what PROTOCOL.md names for `publish` */
export const publish: Command<'publish'> = (connection, message, context) =>
  answer(connection, message.id, publishAs(connection, message, context));

async function answer(connection: Connection, id: number | undefined, storing: Promise<Published>): Promise<void> {
  const published = await storing;
  if (id !== undefined) connection.send({ type: 'published', id, ...published });
}

/**
 * Publishes for a client, by any door. The number of waiting publishes per client is bounded here, per node in the hub.
 *
 * @throws HookDenied; ProtocolError what PROTOCOL.md names for `publish`; also by rejecting
 */
export function publishAs(
  client: PublishingClient,
  { topic: topicText, key: keyText, data, image, idempotencyKey, echo, volatile, tags }: Omit<ClientMessage<'publish'>, 'type' | 'id'>,
  context: Pick<CommandContext, 'config' | 'delivery' | 'hooks'>,
): Promise<Published> {
  const { config } = context;
  const topic = parseTopic(topicText);
  // A permission may name the key.
  const name = keyText === undefined ? topic : `${topic}${KEY_MARK}${keyText}`;
  const options = namespaceFor(context, topic);
  // A patch that is no map stands for the whole document.
  const whole = image === true || (options !== undefined && hasDocuments(options) && !isMap(data));
  const namespace = assertMay(client.identity, whole ? 'image' : 'publish', options, name);
  assertKeyFits(topic, keyText !== undefined, namespace);
  assertVolatileFits(topic, volatile, namespace);
  const key = keyText === undefined ? null : parseKey(keyText);
  const { publishesPerConnectionMax } = config.tuning.commands;
  if (client.publishesInFlight >= publishesPerConnectionMax) {
    throw new ProtocolError('busy', `${publishesPerConnectionMax} publishes of this client wait for the log`);
  }
  const user = client.identity.user ?? '';
  // Not async itself, so that until the answer comes only the packed bytes are kept, not the values from which they were made.
  const info = context.hooks === undefined ? undefined : client.identity.info;
  const draft = {
    topic,
    key,
    data: packMsgpack(data),
    idempotencyKey,
    ...(echo === false && { noEcho: true as const }),
    ...(volatile === true && { volatile }),
    ...(tags !== undefined && { tags }),
    user,
    connectionId: client.id,
    ...(whole && { image: true as const }),
    ...(info !== undefined && { info }),
  };
  return store(client, context, namespace.durable, draft);
}

async function store(
  client: PublishingClient,
  { delivery: { hub }, hooks }: Pick<CommandContext, 'delivery' | 'hooks'>,
  durable: boolean,
  draft: Draft,
): Promise<Published> {
  client.publishesInFlight++;
  try {
    const publish = (allowed: Draft) => hub.publish(allowed);
    const { epoch, offset, duplicate } = await (hooks === undefined ? publish(draft) : hooks.publish(client, draft, publish));
    return { duplicate, ...(durable && { epoch, offset }) };
  } finally {
    client.publishesInFlight--;
  }
}
