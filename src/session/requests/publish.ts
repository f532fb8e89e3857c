import { ProtocolError } from '../../protocol/errors.ts';
import { jsonCodec } from '../../protocol/json-codec.ts';
import { CLIENT_MESSAGES, type ClientMessage } from '../../protocol/messages.ts';
import { checkClientMessage } from '../../protocol/parse.ts';
import type { ClientRequest } from '../../transport/transport.ts';
import type { CommandContext } from '../commands/command.ts';
import { type PublishingClient, publishAs } from '../commands/publish.ts';
import { knownAre, quoted, readParameters } from '../parameters.ts';

/** Another type would be published all the same, and no answer has the id. */
const OF_COMMANDS: readonly string[] = ['type', 'id'];
const FIELDS: readonly string[] = Object.keys(CLIENT_MESSAGES.publish.properties).filter((name) => !OF_COMMANDS.includes(name));

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
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ProtocolError('bad_message', 'the body: must be object');
  for (const name of Object.keys(value)) {
    if (OF_COMMANDS.includes(name)) throw new ProtocolError('bad_message', `${name}: a body of POST /publish has none`);
    // Commands may have more, from newer clients. But a key for repetitions that is misspelled would be lost, and each repetition be stored.
    if (!FIELDS.includes(name)) throw new ProtocolError('bad_message', `unknown field ${quoted(name)}; ${knownAre(FIELDS)}`);
  }
  return checkClientMessage({ ...value, type: 'publish' }) as ClientMessage<'publish'>;
}
