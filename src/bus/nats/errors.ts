import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { ClosedConnectionError, NoRespondersError, PermissionViolationError, TimeoutError } from '@nats-io/transport-node';
import { BusError } from '../bus-error.ts';
import { DisconnectedError } from './connection.ts';
import { DEFAULT_NAMES } from './names.ts';
import { deniedIn, describeDenied } from './permissions.ts';

const STREAM_NOT_FOUND = 10059;
const WRONG_LAST_SEQUENCE = [10071, 10164];

/** The kind of a request's failure, as far as it matters for what to do next. */
export type Failure =
  /** It was never passed to the server. */
  | 'not_sent'
  /** The connection was lost before the answer came. */
  | 'disconnected'
  | 'timeout'
  /** The server knows no responder. For a stream: it has no leader now, or does not exist. */
  | 'no_responders'
  /** JetStream cannot do it now. */
  | 'unavailable'
  /** It was refused, and will be refused again. */
  | 'refused'
  /** The node's NATS user lacks a permission. */
  | 'denied'
  | 'closed';

export function failureOf(error: unknown): Failure {
  for (const cause of causesOf(error)) {
    if (cause instanceof DisconnectedError) return cause.sent ? 'disconnected' : 'not_sent';
    if (cause instanceof TimeoutError) return 'timeout';
    if (cause instanceof NoRespondersError) return 'no_responders';
    if (cause instanceof ClosedConnectionError) return 'closed';
    if (cause instanceof PermissionViolationError) return 'denied';
    if (cause instanceof JetStreamApiError) return cause.status === 503 ? 'unavailable' : 'refused';
    if (cause instanceof JetStreamError) return 'refused';
  }
  return 'refused';
}

export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND;
}

/** A write that was only for the case that nothing had been written since some point: something has. */
export function isWrongLastSequence(error: unknown): boolean {
  return WRONG_LAST_SEQUENCE.includes((error as { code?: number }).code ?? 0);
}

/**
 * Any failure of a request about `what`, for callers that can only retry later.
 * @returns BusError `bus_unreachable`, `bus_closed`, `permission_denied`
 */
export function unreachable(what: string, error: unknown, names = DEFAULT_NAMES): BusError {
  if (error instanceof BusError) return error;
  const denied = deniedIn(error);
  if (denied !== undefined) return new BusError('permission_denied', `${what}: ${describeDenied(denied, names)}`, { cause: error });
  if (failureOf(error) === 'closed') return new BusError('bus_closed', 'the bus is stopped', { cause: error });
  return new BusError('bus_unreachable', `${what}: ${(error as Error).message}`, { cause: error });
}

function* causesOf(error: unknown): Generator<Error> {
  // The client wraps at most twice; the limit is for errors that are their own cause.
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    yield cause;
    cause = cause.cause;
  }
}
