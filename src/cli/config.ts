import { Command } from 'commander';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { note, print } from './output.ts';

interface ConfigCommandOptions extends ConfigOptions {
  readonly reference?: true;
  readonly tuning?: true;
}

export function configCommand(): Command {
  const command = new Command('config')
    .description(
      'print the effective configuration as YAML, without secrets. An invalid configuration ends with exit code 2 and the list of all problems',
    )
    .option('--reference', 'print the reference of the settings instead, in Markdown')
    .option('--tuning', 'the same for the finer settings under tuning');
  return addConfigOptions(command)
    .action(runConfig)
    .addHelpText(
      'after',
      `
Order: defaults, the file, STENTOR_* variables, flags. The later one wins.

Examples:
  $ stentor config
  $ STENTOR_WORKERS=4 stentor config --config stentor.yaml --set namespaces.chat.public=true
  $ stentor config --reference
  $ stentor config --tuning`,
    );
}

async function runConfig(options: ConfigCommandOptions): Promise<void> {
  if (options.reference || options.tuning) return printReferences(options);
  const [{ config, warnings }, { redactConfig }, { stringify }] = await Promise.all([
    loadFromOptions(options),
    import('../config/redact.ts'),
    import('yaml'),
  ]);
  for (const warning of warnings) note(`warning: ${warning}`);
  print(stringify(redactConfig(config)).trimEnd());
}

async function printReferences({ reference, tuning }: ConfigCommandOptions): Promise<void> {
  const { configReference, tuningReference } = await import('../config/reference.ts');
  const pages = [...(reference ? [configReference()] : []), ...(tuning ? [tuningReference()] : [])];
  print(pages.join('\n').trimEnd());
}
