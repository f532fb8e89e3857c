import type { CommandMessage, CommandType } from '../../protocol/parse.ts';
import type { Connection } from '../connection.ts';
import { error, result } from './answer.ts';
import { call } from './call.ts';
import type { Command, CommandContext } from './command.ts';
import { connect } from './connect.ts';
import { history } from './history.ts';
import { ping } from './ping.ts';
import { presence } from './presence.ts';
import { publish } from './publish.ts';
import { refresh } from './refresh.ts';
import { subscribe } from './subscribe.ts';
import { unsubscribe } from './unsubscribe.ts';

/** The command for each message type. A new message type does not compile without its command. */
export const COMMANDS: { readonly [T in CommandType]: Command<T> } = {
  connect,
  subscribe,
  unsubscribe,
  publish,
  history,
  call,
  result,
  error,
  refresh,
  presence,
  ping,
};

/** @throws ProtocolError the client gets it as the answer; also by rejecting */
export function runCommand(connection: Connection, message: CommandMessage, context: CommandContext): Promise<void> | void {
  const command = COMMANDS[message.type] as Command<CommandType>;
  return command(connection, message, context);
}
