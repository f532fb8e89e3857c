import { resultOutcome } from '../from-servers.ts';
import type { Command } from './command.ts';

/** `result`: the client's answer to a call of a server. */
export const result: Command<'result'> = (connection, { id, data = null }, { fromServers }) => {
  fromServers.answered(connection, id, resultOutcome(data));
};

/** `error`: the client did not carry out a call of a server. */
export const error: Command<'error'> = (connection, { id, code, message = '' }, { fromServers }) => {
  fromServers.answered(connection, id, { kind: 'error', code, message });
};
