import { Command } from 'commander';
import { usageError } from './errors.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { note, print } from './output.ts';

export function setupCommand(): Command {
  const command = new Command('setup').description(
    'create the missing NATS streams and buckets of the durable namespaces, and check the existing ones',
  );
  return addConfigOptions(command)
    .action(runSetup)
    .addHelpText(
      'after',
      `
Run it as a NATS user that may create streams. The nodes (with nats.manageStreams: false) then do not need that permission. It changes no existing stream.
If the inbox prefix of that user differs from that of the nodes, set it: --set nats.inboxPrefix=_INBOX_setup.

Examples:
  $ stentor setup --config stentor.yaml --set nats.credsFile=setup.creds --set nats.inboxPrefix=_INBOX_setup`,
    );
}

async function runSetup(options: ConfigOptions): Promise<void> {
  const { config } = await loadFromOptions(options);
  if (config.nats.url === '') throw usageError('nats.url is empty: there is nothing to set up');
  // Loaded here, so that other commands do not load the NATS client.
  const { setUpNats } = await import('../bus/nats/set-up.ts');
  const names = await setUpNats(config, (message) => note(`warning: ${message}`));
  for (const name of names) print(name);
  note(`all ${names.length} exist and match the configuration`);
}
