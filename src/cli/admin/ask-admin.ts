import { CliError } from '../errors.ts';

export interface AdminAnswer {
  readonly ok: boolean;
  readonly status: number;
  /** Without white space around it. */
  readonly text: string;
}

/** Asks the admin port of a node. @param help what to do if there is no answer @throws CliError with `code` if there is no answer */
export async function askAdmin(url: string, code: string, init: RequestInit, help = ''): Promise<AdminAnswer> {
  try {
    const answer = await fetch(url, init);
    return { ok: answer.ok, status: answer.status, text: (await answer.text()).trim() };
  } catch (cause) {
    throw new CliError(code, `no answer from ${new URL(url).origin}: ${reasonOf(cause as Error)}${help === '' ? '' : `. ${help}`}`, 1, {
      cause,
    });
  }
}

function reasonOf({ name, message, cause }: Error): string {
  if (name === 'TimeoutError') return 'it took too long';
  if (!(cause instanceof Error)) return message;
  // Connecting to `localhost` tries two addresses, and fails with an error whose own message is empty.
  return cause.message || (cause as NodeJS.ErrnoException).code || message;
}
