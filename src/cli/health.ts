import { Command } from 'commander';
import type { Config } from '../config/schema.ts';
import { askAdmin } from './ask-admin.ts';
import { CliError } from './errors.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { print } from './output.ts';

interface HealthOptions extends ConfigOptions {
  readonly ready?: true;
}

const ANSWER_TIMEOUT_MS = 3000;
const ANY_ADDRESS = new Set(['0.0.0.0', '::', '']);

export function healthCommand(): Command {
  const command = new Command('health')
    .description('check whether the node on this machine is alive, for a container’s health check. Exit code 0 (yes) or 1 (no)')
    .option('--ready', 'check whether the node accepts clients instead');
  return addConfigOptions(command)
    .action(runHealth)
    .addHelpText(
      'after',
      `
It asks at admin.host and admin.port of its own configuration: use the same file, variables and --set as for the node.

Examples:
  $ stentor health
  $ stentor health --ready --set admin.port=9191`,
    );
}

async function runHealth(options: HealthOptions): Promise<void> {
  const { config } = await loadFromOptions(options);
  const url = `${adminOrigin(config.admin)}/health/${options.ready ? 'ready' : 'live'}`;
  const { ok, text } = await askAdmin(url, 'unhealthy', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  if (!ok) throw new CliError('unhealthy', text);
  print(text);
}

/** Where the admin listener of the node on this machine is. One that listens on all addresses is reachable on loopback too. */
export function adminOrigin({ host, port }: Pick<Config['admin'], 'host' | 'port'>): string {
  const reachable = ANY_ADDRESS.has(host) ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
