import { Command } from 'commander';
import { CliError } from '../errors.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from '../options.ts';
import { print } from '../output.ts';
import { adminOrigin } from './admin-origin.ts';
import { askAdmin } from './ask-admin.ts';

interface HealthOptions extends ConfigOptions {
  readonly ready?: true;
}

const ANSWER_TIMEOUT_MS = 3000;

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
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const { ok, text } = await askAdmin(url, 'unhealthy', { signal, ...(config.admin.tls && { certificate: 'any' }) });
  if (!ok) throw new CliError('unhealthy', text);
  print(text);
}
