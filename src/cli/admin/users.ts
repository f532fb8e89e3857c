import { Command } from 'commander';
import type { ConnectionsAnswer, UsersAnswer } from '../../http/api/schemas/users.ts';
import { formatBytes, formatDuration, formatNumber } from '../../telemetry/format.ts';
import { positiveInteger } from '../options.ts';
import { note, print } from '../output.ts';
import { type Column, tableLines } from '../table.ts';
import { AdminApi, noteMissing } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';
import { addPageOptions, noteNext, type PageOptions, pageOf } from './page-options.ts';
import { addTargetOptions, type TargetOptions, targetOf } from './target.ts';

const USER_COLUMNS: readonly Column<UsersAnswer['users'][number]>[] = [
  { head: 'USER', text: ({ user }) => user },
  { head: 'CONNECTIONS', text: ({ connections }) => formatNumber(connections), isNumber: true },
];

const CONNECTION_COLUMNS: readonly Column<ConnectionsAnswer['connections'][number]>[] = [
  { head: 'CONNECTION', text: ({ connectionId }) => connectionId },
  { head: 'USER', text: ({ user }) => user ?? '(anonymous)' },
  { head: 'NODE', text: ({ nodeId }) => nodeId },
  { head: 'FOR', text: ({ connectedForMs }) => formatDuration(connectedForMs), isNumber: true },
  { head: 'ENCODING', text: ({ encoding }) => encoding },
  { head: 'WAITING', text: ({ bufferedBytes }) => formatBytes(bufferedBytes), isNumber: true },
  { head: 'LAGGING', text: ({ lagging }) => (lagging ? 'yes' : 'no') },
  { head: 'TOPICS', text: ({ subscriptions, topics }) => topicsOf(subscriptions, topics) },
];
const TOPICS_SHOWN = 3;

export function usersCommand(): Command {
  const command = new Command('users').description('list the users that are connected to any node, by name');
  return addAdminOptions(addPageOptions(command, 'users'))
    .action(runUsers)
    .addHelpText('after', `${WHERE}\n\nExamples:\n  $ stentor users\n  $ stentor users --prefix ann --json`);
}

export function connectionsCommand(): Command {
  const command = new Command('connections')
    .description('show the connections of a user or of a token, or one connection, on all nodes')
    .option('-n, --limit <n>', 'at most this number of connections (default: 50)');
  return addAdminOptions(addTargetOptions(command))
    .action(runConnections)
    .addHelpText(
      'after',
      `${WHERE}\n\nExamples:\n  $ stentor connections --user ann\n  $ stentor connections --connection node-1a2b-3c4d-7 --json`,
    );
}

async function runUsers(options: AdminOptions & PageOptions): Promise<void> {
  const query = pageOf(options);
  const api = await AdminApi.from(options, 'read');
  const answer = await api.get<UsersAnswer>('users', query);
  if (options.json) return print(JSON.stringify(answer));
  for (const line of tableLines(USER_COLUMNS, answer.users)) print(line);
  noteNext(answer, answer.users.length);
  noteMissing(answer);
}

async function runConnections(options: AdminOptions & TargetOptions & { readonly limit?: string }): Promise<void> {
  const query = { ...targetOf(options), limit: options.limit === undefined ? undefined : positiveInteger('--limit', options.limit) };
  const api = await AdminApi.from(options, 'read');
  const answer = await api.get<ConnectionsAnswer>('connections', query);
  if (options.json) return print(JSON.stringify(answer));
  for (const line of tableLines(CONNECTION_COLUMNS, answer.connections)) print(line);
  if (answer.total > answer.connections.length) note(`${answer.connections.length} of ${answer.total}`);
  noteMissing(answer);
}

function topicsOf(count: number, topics: readonly string[]): string {
  const more = count - Math.min(topics.length, TOPICS_SHOWN);
  return [...topics.slice(0, TOPICS_SHOWN), ...(more > 0 ? [`+${more}`] : [])].join(' ');
}
