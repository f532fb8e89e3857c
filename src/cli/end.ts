import { Command } from 'commander';
import { adminToken } from './admin-token.ts';
import { askAdmin } from './ask-admin.ts';
import { CliError, usageError } from './errors.ts';
import { adminOrigin } from './health.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions, topicArgument } from './options.ts';
import { print } from './output.ts';

interface TargetOptions extends ConfigOptions {
  readonly user?: string;
  readonly connection?: string;
  readonly tokenId?: string;
  readonly reason?: string;
  readonly reconnect?: true;
  readonly issuedBefore?: string;
}

/** The node gives others half a second to answer, and a revocation is stored first. */
const ANSWER_TIMEOUT_MS = 15_000;

const WHERE = `
It asks the HTTP API of a node: use the same file, variables and --set as for the node (admin.host, admin.port, and admin.token or admin.tokens). All nodes carry it out.`;

export function disconnectCommand(): Command {
  return addConfigOptions(
    targets(new Command('disconnect').description('close connections on all nodes'))
      .option('--reason <text>', 'what their clients are told')
      .option('--reconnect', 'let them come back: they are closed with 4105, not with 4010'),
  )
    .action((options: TargetOptions) =>
      send('disconnect', options, { ...targetOf(options), reason: options.reason, reconnect: options.reconnect }),
    )
    .addHelpText(
      'after',
      `${WHERE}\n\nExamples:\n  $ stentor disconnect --user ann --reason 'signed out'\n  $ stentor disconnect --token-id 8f14e45f --reconnect`,
    );
}

export function unsubscribeCommand(): Command {
  return addConfigOptions(
    targets(new Command('unsubscribe').description('end subscriptions to a topic on all nodes'))
      .argument('<topic>', 'for example chat.lobby')
      .option('--reason <text>', 'what their clients are told'),
  )
    .action((topic: string, options: TargetOptions) =>
      send('unsubscribe', options, { ...targetOf(options), topic: topicArgument(topic), reason: options.reason }),
    )
    .addHelpText('after', `${WHERE}\n\nExamples:\n  $ stentor unsubscribe chat.lobby --user ann`);
}

export function revokeCommand(): Command {
  return addConfigOptions(
    new Command('revoke')
      .description('revoke tokens: close their connections on all nodes, and refuse them from now on')
      .option('--token-id <jti>', 'the token with this `jti`')
      .option('--user <sub>', 'all tokens of this user that were issued before now')
      .option('--issued-before <time>', 'with --user: before this time instead, as ISO 8601 text'),
  )
    .action((options: TargetOptions) => send('revoke', options, { ...targetOf(options), issuedBeforeMs: timeOf(options.issuedBefore) }))
    .addHelpText(
      'after',
      `${WHERE}\nThe nodes need auth.revocations.\n\nExamples:\n  $ stentor revoke --user ann\n  $ stentor revoke --token-id 8f14e45f`,
    );
}

function targets(command: Command): Command {
  return command
    .option('--user <sub>', 'all connections of this user')
    .option('--connection <id>', 'this connection')
    .option('--token-id <jti>', 'all connections with the token of this `jti`');
}

function targetOf({ user, connection, tokenId }: TargetOptions): object {
  if ([user, connection, tokenId].filter((one) => one !== undefined).length !== 1) {
    throw usageError('expected one of --user, --connection and --token-id');
  }
  return { user, connectionId: connection, tokenId };
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw usageError(`${JSON.stringify(text)}: expected a time like 2026-01-31T12:00:00Z`);
  return timeMs;
}

async function send(action: string, options: TargetOptions, body: object): Promise<void> {
  const { config } = await loadFromOptions(options);
  const url = `${adminOrigin(config.admin)}/api/${action}`;
  const { ok, text } = await askAdmin(url, 'unreachable', {
    method: 'POST',
    headers: { Authorization: `Bearer ${adminToken(config.admin, 'admin')}` },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  if (ok) return print(text);
  const { code = 'failed', message = text } = parse(text).error ?? {};
  throw new CliError(code, message);
}

function parse(text: string): { readonly error?: { readonly code?: string; readonly message?: string } } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
