import { STATUS_CODES } from 'node:http';
import { type HttpCode, statusOf } from '../protocol/http-status.ts';
import type { Headers } from './cors.ts';
import type { HttpResponse } from './uws.ts';

/** An answer of the clients' port. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** JSON; undefined: there is none. */
  readonly body: Uint8Array | undefined;
}

/** As in `401 Unauthorized`. */
export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`;
}

/** The form of every error. */
export function refusal(code: string, message: string, options: RefusalOptions = {}): HttpAnswer {
  const { status = statusOf(code as HttpCode), retryAfterMs, service, headers = {} } = options;
  const error = { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }), ...(service && { service }) };
  return {
    status,
    headers: {
      ...(retryAfterMs !== undefined && { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) }),
      ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
      ...headers,
    },
    body: Buffer.from(JSON.stringify({ error })),
  };
}

export interface RefusalOptions {
  /** That of the code, if it is not given. */
  readonly status?: number;
  /** The code and the message are those of a hook. */
  readonly service?: true;
  readonly retryAfterMs?: number;
  readonly headers?: Headers;
}

/** Status and headers. Call in a cork. */
export function writeHead(res: HttpResponse, status: number, headers: Headers): void {
  res.writeStatus(statusLine(status));
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
}

/** With status 200: uWS closes a connection after an answer only with a `Content-Length`, which status 204 forbids. Call in a cork. */
export function endPreflight(res: HttpResponse, headers: Headers): void {
  writeHead(res, 200, headers);
  res.end('', true);
}
