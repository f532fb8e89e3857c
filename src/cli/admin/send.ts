import { text as readText } from 'node:stream/consumers';
import { Command } from 'commander';
import { parseDuration } from '../duration.ts';
import { usageError } from '../errors.ts';
import { topicArgument } from '../options.ts';
import { print } from '../output.ts';
import { jsonValue } from '../publish.ts';
import { AdminApi, noteMissing } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';

interface SendOptions extends AdminOptions {
  readonly namespace?: string;
  readonly connection?: string;
  readonly volatile?: true;
}

interface CallOptions extends AdminOptions {
  readonly connection?: string;
  readonly user?: string;
  readonly timeout?: string;
}

export function sendCommand(): Command {
  return addAdminOptions(
    new Command('send')
      .description('send one JSON value to a connection, or to every connection of a namespace, on any node')
      .argument('[json]', 'the value (default: read from stdin)')
      .option('--namespace <name>', 'to every connection that is subscribed to a topic of this namespace')
      .option('--connection <id>', 'to this connection')
      .option('--volatile', 'with --connection: drop it if the socket does not keep up now'),
  )
    .action(async (json: string | undefined, options: SendOptions) => {
      const { namespace, connection, volatile } = options;
      if ((namespace === undefined) === (connection === undefined)) throw usageError('expected one of --namespace and --connection');
      await post('send', options, { namespace, connectionId: connection, volatile, data: await value(json) });
    })
    .addHelpText(
      'after',
      `${WHERE}\n\nExamples:\n  $ stentor send --namespace chat '{"text":"maintenance at noon"}'\n  $ stentor send --connection n1-5f0c2a71.17 '{"text":"hi"}'`,
    );
}

export function callCommand(): Command {
  return addAdminOptions(
    new Command('call')
      .description('call a method of a client, or of all connections of a user, and print their answers')
      .argument('<method>', 'for example cart.read')
      .argument('[json]', 'the data (default: null)')
      .option('--connection <id>', 'this connection')
      .option('--user <sub>', 'all connections of this user')
      .option('--timeout <duration>', 'how long to wait for an answer, for example 500ms (default: 5s)'),
  )
    .action(async (method: string, json: string | undefined, options: CallOptions) => {
      const { connection, user, timeout } = options;
      if ((connection === undefined) === (user === undefined)) throw usageError('expected one of --connection and --user');
      const timeoutMs = timeout === undefined ? undefined : Math.ceil(parseDuration('--timeout', timeout));
      const data = jsonValue(json ?? 'null');
      const body = { connectionId: connection, user, method: topicArgument(method, 'method'), data, timeoutMs };
      await post('call', options, body, timeoutMs);
    })
    .addHelpText(
      'after',
      `${WHERE}\n\nExamples:\n  $ stentor call cart.read --user ann\n  $ stentor call echo '{"a":1}' --connection n1-5f0c2a71.17`,
    );
}

/** Prints the answer, which is data, as JSON. @param timeoutMs how long the node may wait for others */
async function post(path: string, options: AdminOptions, body: object, timeoutMs?: number): Promise<void> {
  const api = await AdminApi.from(options, 'publish');
  const answer = await api.post<Parameters<typeof noteMissing>[0]>(path, body, timeoutMs);
  print(JSON.stringify(answer));
  noteMissing(answer);
}

async function value(json: string | undefined): Promise<unknown> {
  return jsonValue(json ?? (await readText(process.stdin)));
}
