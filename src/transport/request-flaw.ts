import type { Origins } from './cors.ts';
import type { ClientEvents, RequestRefused } from './transport.ts';
import type { HttpResponse } from './uws.ts';

/** A worker that is full or shutting down stays so for a while. */
const UNAVAILABLE_RETRY_MS = 5000;

/** Why a request is refused. Each kind of request has its own form of the answer. */
export type Flaw = Omit<RequestRefused, 'kind'>;

export interface RequestChecks {
  readonly origins: Origins;
  readonly clients: Pick<ClientEvents<never>, 'whyUnavailable' | 'flawOf'>;
  /** Why a request is refused for its connection, whatever it asks for; undefined: it is not. */
  readonly flawOfConnection: (res: HttpResponse) => string | undefined;
}

/** What is wrong with a request, from its connection and headers alone; undefined: nothing. */
export function flawOfRequest(
  checks: RequestChecks,
  res: HttpResponse,
  { origin, token }: { readonly origin: string; readonly token: string | undefined },
): Flaw | undefined {
  return flawBeforeReading(checks, res) ?? flawOfOrigin(checks, origin) ?? flawOfToken(checks, token);
}

/** Whatever it asks for. */
export function flawBeforeReading({ clients, flawOfConnection }: Omit<RequestChecks, 'origins'>, res: HttpResponse): Flaw | undefined {
  const flawed = flawOfConnection(res);
  if (flawed !== undefined) return { code: 'forbidden', message: flawed };
  const unavailable = clients.whyUnavailable();
  return unavailable === undefined ? undefined : { code: 'unavailable', message: unavailable, retryAfterMs: UNAVAILABLE_RETRY_MS };
}

export function flawOfOrigin({ origins }: Pick<RequestChecks, 'origins'>, origin: string): Flaw | undefined {
  return origins.allows(origin) ? undefined : { code: 'forbidden', message: 'the origin is not in allowedOrigins' };
}

export function flawOfToken({ clients }: Pick<RequestChecks, 'clients'>, token: string | undefined): Flaw | undefined {
  const flaw = token === undefined ? undefined : clients.flawOf(token);
  return flaw === undefined ? undefined : { code: 'unauthorized', message: flaw };
}
