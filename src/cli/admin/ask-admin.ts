import { CliError } from '../errors.ts';
import { type PinnedRequest, pinnedRequest } from './pinned-request.ts';

export interface AdminAnswer {
  readonly ok: boolean;
  readonly status: number;
  /** Without white space around it. */
  readonly text: string;
}

export interface AdminRequest extends PinnedRequest {
  /** What to do if there is no answer. */
  readonly help?: string;
  /** A node with TLS on this machine: the certificate that it must present, as PEM; `any`, where nothing secret is sent. Undefined: its name is checked. */
  readonly certificate?: string | undefined;
}

/** Asks the admin port of a node. @throws CliError with `code` if there is no answer */
export async function askAdmin(url: string, code: string, { help = '', certificate, ...init }: AdminRequest): Promise<AdminAnswer> {
  try {
    if (certificate !== undefined) {
      const { status, text } = await pinnedRequest(new URL(url), certificate === 'any' ? undefined : certificate, init);
      return { ok: status >= 200 && status < 300, status, text: text.trim() };
    }
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
