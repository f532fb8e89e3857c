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

/** What to print for an error that ended a command, and the exit code. */
export function describeFailure(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (!(error instanceof Error)) return { text: `stentor: ${String(error)}`, exitCode: 1 };
  const { code } = error as { code?: unknown };
  const exitCode = error instanceof CliError ? error.exitCode : code === 'bad_config' ? 2 : 1;
  if (typeof code === 'string') return { text: `stentor: ${code}: ${error.message}`, exitCode };
  // An error without a code is unexpected, so print the stack trace.
  return { text: `stentor: ${error.stack ?? error.message}`, exitCode };
}
