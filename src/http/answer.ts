import type { RefusalAnswer } from './admin-answers.ts';

/** An HTTP answer of the admin listener. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export function textAnswer(status: number, text: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { status, headers: { 'Content-Type': contentType }, body: `${text}\n` };
}

export function jsonAnswer(status: number, value: object): Answer {
  return textAnswer(status, JSON.stringify(value), 'application/json');
}

export function refusal(status: number, code: string, message: string): Answer {
  return jsonAnswer(status, { code, message } satisfies RefusalAnswer);
}
