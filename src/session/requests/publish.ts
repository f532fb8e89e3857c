import { ProtocolError } from '../../protocol/errors.ts';
import { jsonCodec } from '../../protocol/json-codec.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { checkClientMessage } from '../../protocol/parse.ts';
import type { ClientRequest } from '../../transport/transport.ts';
import type { CommandContext } from '../commands/command.ts';
import { type PublishingClient, publishAs } from '../commands/publish.ts';
import { readParameters } from '../parameters.ts';

/**
 * `POST /publish`: the body is the message `publish` as JSON, without `type` and `id`. The answer has the fields of `published`.
 *
 * @throws HookDenied; ProtocolError as for the command `publish`; also by rejecting
 */
export async function publishBody(
  client: PublishingClient,
  { query, body }: Pick<ClientRequest, 'query' | 'body'>,
  context: CommandContext,
): Promise<Uint8Array> {
  readParameters(query, {});
  return jsonCodec.encode(await publishAs(client, read(body), context));
}

function read(body: Uint8Array): ClientMessage<'publish'> {
  const value = jsonCodec.decode(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return checkClientMessage(value) as never;
  // Another type would be published all the same, and no answer has the id.
  for (const name of ['type', 'id']) {
    if (Object.hasOwn(value, name)) throw new ProtocolError('bad_message', `${name}: a body of POST /publish has none`);
  }
  return checkClientMessage({ ...value, type: 'publish' }) as ClientMessage<'publish'>;
}
