import { type HttpCode, statusOf } from '../protocol/http-status.ts';
import { stringifyJson } from '../protocol/json-writer.ts';
import type { Refusal } from './api/schemas/refusal.ts';

/** An HTTP answer of the admin listener. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export function textAnswer(status: number, text: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { status, headers: { 'Content-Type': contentType }, body: `${text}\n` };
}

/** Bytes in it become base64 text, and integers that a double may not represent text of digits, as for clients with JSON. */
export function jsonAnswer(status: number, value: object): Answer {
  return textAnswer(status, stringifyJson(value), 'application/json');
}

export function refusal(code: HttpCode, message: string): Answer {
  return jsonAnswer(statusOf(code), { error: { code, message } } satisfies Refusal);
}
