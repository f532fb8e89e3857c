import { CliError } from './errors.ts';

export interface AdminAnswer {
  readonly ok: boolean;
  /** Without white space around it. */
  readonly text: string;
}

/** Asks the admin port of a node. @throws CliError with `code` if there is no answer */
export async function askAdmin(url: string, code: string, init: RequestInit): Promise<AdminAnswer> {
  const answer = await fetch(url, init).catch((cause: Error) => {
    const reason = cause.cause instanceof Error ? cause.cause.message : cause.message;
    throw new CliError(code, `no answer from ${url}: ${reason}`, 1, { cause });
  });
  return { ok: answer.ok, text: (await answer.text()).trim() };
}
