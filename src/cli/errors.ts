import { inOneLine } from './output.ts';

/** A command failed for a reason that the user can act on. It is printed as one line, without a stack trace. */
export class CliError extends Error {
  readonly code: string;
  readonly exitCode: number;

  /** @param exitCode 1: it failed; 2: wrong usage */
  constructor(code: string, message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.code = code;
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): CliError {
  return new CliError('usage', message, 2);
}

/**
 * The form of every value that cannot be used: `--rate "x": expected a number above 0`.
 *
 * @param name the option or argument, as in the help: `--rate`, `topic`
 */
export function badValue(name: string, text: string, expected: string): CliError {
  return usageError(`${name} ${JSON.stringify(text)}: ${expected}`);
}

/** One line for what Commander reports, in the form of all other errors. @param text `error: unknown option '--x'` */
export function usageText(text: string): string {
  const what = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
  return `stentor: usage: ${what.replace(/\.$/, '')}; try --help\n`;
}

/** What to print for an error that ended a command, and the exit code. */
export function describeFailure(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (!(error instanceof Error)) return { text: `stentor: ${String(error)}`, exitCode: 1 };
  const { code } = error as { code?: unknown };
  const exitCode = error instanceof CliError ? error.exitCode : code === 'bad_config' ? 2 : 1;
  // Messages of nodes contain what others wrote. The list of what is wrong with a configuration has lines of its own.
  const message = error instanceof CliError ? inOneLine(error.message) : error.message;
  if (typeof code === 'string') return { text: `stentor: ${code}: ${message}`, exitCode };
  // An error without a code is unexpected, so print the stack trace.
  return { text: `stentor: ${error.stack ?? error.message}`, exitCode };
}
