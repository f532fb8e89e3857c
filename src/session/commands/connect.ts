import { ProtocolError } from '../../protocol/errors.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import type { Authentication } from '../authentication.ts';
import type { Connection } from '../connection.ts';
import { askedBy } from '../refusal-log.ts';
import type { Command } from './command.ts';

/** `connect`: authenticates the client, and sets how it wants its frames. @throws ProtocolError `already_connected` */
export const connect: Command<'connect'> = (connection, message, { authentication }) => {
  if (connection.connected) throw new ProtocolError('already_connected', 'connect must be the first command, and is allowed once');
  connection.connected = true;
  return authentication.inTurn(connection, () => answer(connection, message, authentication));
};

async function answer(connection: Connection, message: ClientMessage<'connect'>, authentication: Authentication): Promise<void> {
  if (!connection.isOpen) return;
  const asked = askedBy(message);
  if (message.token !== undefined) {
    if (!(await authentication.identify(connection, message.token, asked))) return;
  } else if (authentication.asksFirst(connection)) {
    if (!(await authentication.identifyAnonymous(connection, asked))) return;
  } else if (!authentication.isReady(connection)) {
    return authentication.refuseAnonymous(connection, asked, 'a token is required; one in the query counts only with auth.allowQueryToken');
  }
  connection.receiver.deflate = message.compression === 'deflate-raw' && connection.codec.encoding === 'msgpack';
  authentication.sendConnected(connection, message.id);
}
