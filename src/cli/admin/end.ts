import { Command } from 'commander';
import { counted } from '../../telemetry/format.ts';
import { badValue } from '../errors.ts';
import { topicArgument } from '../options.ts';
import { print } from '../output.ts';
import { AdminApi, noteMissing } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';
import { addTargetOptions, type TargetOptions, targetOf } from './target.ts';

interface EndOptions extends AdminOptions, TargetOptions {
  readonly reason?: string;
  readonly reconnect?: true;
  readonly issuedBefore?: string;
}

interface Ended {
  readonly nodes: number;
  readonly nodesSilent: readonly string[];
  readonly connections: number;
}

const ALL_NODES = ' All nodes carry it out.';

export function disconnectCommand(): Command {
  return addAdminOptions(
    addTargetOptions(new Command('disconnect').description('close connections on all nodes'))
      .option('--reason <text>', 'what their clients are told')
      .option('--reconnect', 'let them come back: they are closed with 4105, not with 4010'),
  )
    .action((options: EndOptions) =>
      send('disconnect', options, { ...targetOf(options), reason: options.reason, reconnect: options.reconnect }, 'closed'),
    )
    .addHelpText(
      'after',
      `${WHERE}${ALL_NODES}\n\nExamples:\n  $ stentor disconnect --user ann --reason 'signed out'\n  $ stentor disconnect --token-id 8f14e45f --reconnect`,
    );
}

export function unsubscribeCommand(): Command {
  return addAdminOptions(
    addTargetOptions(new Command('unsubscribe').description('end subscriptions to a topic on all nodes'))
      .argument('<topic>', 'for example chat.lobby')
      .option('--reason <text>', 'what their clients are told'),
  )
    .action((topic: string, options: EndOptions) =>
      send('unsubscribe', options, { ...targetOf(options), topic: topicArgument(topic), reason: options.reason }, 'unsubscribed'),
    )
    .addHelpText('after', `${WHERE}${ALL_NODES}\n\nExamples:\n  $ stentor unsubscribe chat.lobby --user ann`);
}

export function revokeCommand(): Command {
  return addAdminOptions(
    new Command('revoke')
      .description('revoke tokens: close their connections on all nodes, and refuse them from now on')
      .option('--token-id <jti>', 'the token with this `jti`')
      .option('--user <sub>', 'all tokens of this user that were issued before now')
      .option('--issued-before <time>', 'with --user: before this time instead, as ISO 8601 text'),
  )
    .action((options: EndOptions) =>
      send('revoke', options, { ...targetOf(options), issuedBeforeMs: timeOf(options.issuedBefore) }, 'closed'),
    )
    .addHelpText(
      'after',
      `${WHERE}${ALL_NODES}\nThe nodes need auth.revocations.\n\nExamples:\n  $ stentor revoke --user ann\n  $ stentor revoke --token-id 8f14e45f`,
    );
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw badValue('--issued-before', text, 'expected a time like 2026-01-31T12:00:00Z');
  return timeMs;
}

async function send(action: string, options: EndOptions, body: object, done: string): Promise<void> {
  const api = await AdminApi.from(options, 'admin');
  const answer = await api.post<Ended>(action, body);
  if (options.json) return print(JSON.stringify(answer));
  const { connections, nodes } = answer;
  print(`${counted(connections, 'connection')} ${done}, on ${counted(nodes, 'node')}`);
  noteMissing(answer);
}
