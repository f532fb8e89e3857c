import { ProtocolError } from '../../protocol/errors.ts';
import { jsonCodec } from '../../protocol/json-codec.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { checkClientMessage } from '../../protocol/parse.ts';
import type { CommandContext } from '../commands/command.ts';
import { type PublishingClient, publishAs } from '../commands/publish.ts';

/**
 * `POST /publish`: the body is the message `publish` as JSON, without `type` and `id`. The answer has the fields of `published`.
 *
 * @throws HookDenied; ProtocolError as for the command `publish`; also by rejecting
 */
export function publishBody(client: PublishingClient, body: Uint8Array, context: CommandContext): Promise<Uint8Array> {
  return asJson(publishAs(client, read(body), context));
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

async function asJson(answering: Promise<object>): Promise<Uint8Array> {
  return jsonCodec.encode(await answering);
}
