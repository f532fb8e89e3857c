import type { Origins } from './cors.ts';
import { type HttpAnswer, refusal } from './http-answer.ts';
import type { ClientEvents } from './transport.ts';
import type { HttpResponse } from './uws.ts';

/** A worker that is full or shutting down stays so for a while. */
const UNAVAILABLE_RETRY_MS = 5000;

/** How a request is refused, and why, for the log. */
export type Refused = readonly [HttpAnswer, string];

export interface RequestChecks {
  readonly origins: Origins;
  readonly clients: Pick<ClientEvents<never>, 'whyUnavailable' | 'flawOf'>;
  /** Why a request is refused for its connection, whatever it asks for; undefined: it is not. */
  readonly flawOfConnection: (res: HttpResponse) => string | undefined;
}

/** What is wrong with a request, from its connection and headers alone; undefined: nothing. */
export function flawOfRequest(
  { clients, origins, flawOfConnection }: RequestChecks,
  res: HttpResponse,
  { origin, token }: { readonly origin: string; readonly token: string | undefined },
): Refused | undefined {
  const flawed = flawOfConnection(res);
  if (flawed !== undefined) return [refusal('forbidden', flawed), flawed];
  const unavailable = clients.whyUnavailable();
  if (unavailable !== undefined) return [refusal('unavailable', unavailable, { retryAfterMs: UNAVAILABLE_RETRY_MS }), unavailable];
  const foreign = flawOfOrigin(origins, origin);
  if (foreign !== undefined) return foreign;
  const flaw = token === undefined ? undefined : clients.flawOf(token);
  return flaw === undefined ? undefined : [refusal('unauthorized', flaw), flaw];
}

export function flawOfOrigin(origins: Origins, origin: string): Refused | undefined {
  if (origins.allows(origin)) return undefined;
  const why = 'the origin is not in allowedOrigins';
  return [refusal('forbidden', why), why];
}
