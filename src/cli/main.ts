#!/usr/bin/env node
import { CommanderError } from 'commander';
import { describeFailure } from './errors.ts';
import { endWithReader, note } from './output.ts';
import { createProgram } from './program.ts';

endWithReader();
try {
  await createProgram().parseAsync();
} catch (error) {
  // Commander has already printed everything: the help, the version, or what was wrong.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  const { text, exitCode } = describeFailure(error);
  note(text);
  process.exit(exitCode);
}
