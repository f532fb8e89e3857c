import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { configReference, withReference } from '../config/reference.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { effectiveConfig, note, print } from './output.ts';

interface ConfigCommandOptions extends ConfigOptions {
  readonly reference?: true;
  readonly write?: string;
}

export function configCommand(): Command {
  const command = new Command('config')
    .description(
      'print the effective configuration as YAML, secrets redacted; or check one: exit code 2 and every reason when it cannot be used',
    )
    .option('--reference', 'print the table of all settings instead, in Markdown')
    .option('--write <file>', 'with --reference: put the table between its markers in this file');
  return addConfigOptions(command)
    .action(runConfig)
    .addHelpText(
      'after',
      `
Defaults, then the file, then STENTOR_* variables, then flags: the last one wins.

Examples:
  $ stentor config
  $ STENTOR_WORKERS=4 stentor config --config stentor.yaml --set namespaces.chat.public=true
  $ stentor config --reference`,
    );
}

function runConfig(options: ConfigCommandOptions): void {
  if (options.reference) {
    if (options.write === undefined) print(configReference().trimEnd());
    else writeFileSync(options.write, withReference(readFileSync(options.write, 'utf8')));
    return;
  }
  const { config, warnings } = loadFromOptions(options);
  for (const warning of warnings) note(`warning: ${warning}`);
  print(effectiveConfig(config));
}
