import type { Command } from 'commander';
import { addConfigOptions, type ConfigOptions } from '../options.ts';

export interface AdminOptions extends ConfigOptions {
  readonly adminUrl?: string;
  readonly json?: true;
}

/** For the help of commands that ask the HTTP API. */
export const WHERE = `
It asks the HTTP API of a node. Use the same file, variables and --set as for the node (admin.host, admin.port, and admin.token or admin.tokens), or --admin-url for another machine.`;

/** Options of commands that ask the HTTP API of a node. */
export function addAdminOptions(command: Command): Command {
  return addConfigOptions(command.option('--json', 'print the answer as one line of JSON')).option(
    '--admin-url <url>',
    'the admin port of the node, for example http://10.0.0.5:9090 (default: admin.host and admin.port)',
  );
}
