import type { Command } from './command.ts';

/** `ping`: answers with the time. */
export const ping: Command<'ping'> = (connection, { t }) => {
  connection.send({ type: 'pong', serverTimeMs: Date.now(), ...(t !== undefined && { t }) });
};
