#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { configCommand } from './config.ts';
import { describeFailure } from './errors.ts';
import { endWithReader, note } from './output.ts';
import { publishCommand } from './publish.ts';
import { replayCommand } from './replay.ts';
import { serveCommand } from './serve.ts';
import { subscribeCommand } from './subscribe.ts';
import { tokenCommand } from './token.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('stentor')
  .description('Broadcasts live feeds from NATS to very many WebSocket clients, encoded once.')
  .version(version)
  .addCommand(serveCommand())
  .addCommand(publishCommand())
  .addCommand(subscribeCommand())
  .addCommand(tokenCommand())
  .addCommand(replayCommand())
  .addCommand(configCommand())
  .addHelpText(
    'after',
    `
Start here:
  $ stentor serve --demo                     a node with made-up feeds and a page, nothing else needed
  $ stentor subscribe scores.demo            see one of them
  $ stentor config --reference               every setting

Exit codes: 0 done, 1 failed, 2 asked wrongly or bad configuration.`,
  );

for (const command of [program, ...program.commands]) command.exitOverride().showHelpAfterError('(try --help)');

endWithReader();
try {
  await program.parseAsync();
} catch (error) {
  // Commander has already said what it had to say: help, the version, or what was wrong.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  const { text, exitCode } = describeFailure(error);
  note(text);
  process.exit(exitCode);
}
