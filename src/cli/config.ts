import { Command } from 'commander';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { note, print } from './output.ts';

interface ConfigCommandOptions extends ConfigOptions {
  readonly reference?: true;
}

export function configCommand(): Command {
  const command = new Command('config')
    .description(
      'print the effective configuration as YAML, without secrets. An invalid configuration ends with exit code 2 and the list of all problems',
    )
    .option('--reference', 'print the reference of all settings instead, in Markdown');
  return addConfigOptions(command)
    .action(runConfig)
    .addHelpText(
      'after',
      `
Order: defaults, the file, STENTOR_* variables, flags. The later one wins.

Examples:
  $ stentor config
  $ STENTOR_WORKERS=4 stentor config --config stentor.yaml --set namespaces.chat.public=true
  $ stentor config --reference`,
    );
}

async function runConfig(options: ConfigCommandOptions): Promise<void> {
  if (options.reference) return printReference();
  const [{ config, warnings }, { redactConfig }, { stringify }] = await Promise.all([
    loadFromOptions(options),
    import('../config/redact.ts'),
    import('yaml'),
  ]);
  for (const warning of warnings) note(`warning: ${warning}`);
  print(stringify(redactConfig(config)).trimEnd());
}

async function printReference(): Promise<void> {
  const { configReference } = await import('../config/reference.ts');
  print(configReference().trimEnd());
}
