import { BusError, type BusErrorCode } from '../bus/bus-error.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';

/** Of every code, so that a new one cannot bring a subject or a stream to clients. */
const CLIENT_TEXTS: Readonly<Record<BusErrorCode, string>> = {
  bus_unreachable: 'the broker cannot be reached now',
  bus_closed: 'the node is shutting down',
  bus_busy: 'too many reads of the log wait',
  jetstream_unavailable: 'the broker cannot be reached now',
  stream_missing: 'the log cannot be reached now',
  stream_mismatch: 'the log cannot be reached now',
  stream_refused: 'the log cannot be reached now',
  server_too_old: 'the broker cannot be reached now',
  unknown_namespace: 'the namespace is not configured',
  mirror_too_old: 'the log cannot be read now',
  log_gone: 'the log cannot be read now',
  log_gap: 'the log cannot be read now',
  log_rolled_back: 'the log cannot be read now',
  permission_denied: 'the broker denies this node the operation',
  publish_timeout: 'the log did not answer in time: the publication may or may not be stored',
  publish_refused: 'the broker refused the publication',
  no_responders: 'no service answers this method',
  call_timeout: 'the service did not answer in time',
};

/** Maps a failure in the hub to an error of the protocol. */
export function codeOf(error: Error): ErrorCode {
  if (error instanceof ProtocolError) return error.code;
  if (!(error instanceof BusError)) return 'internal';
  switch (error.code) {
    case 'publish_timeout':
      return 'outcome_unknown';
    case 'bus_busy':
      return 'busy';
    case 'no_responders':
      return 'no_responders';
    case 'call_timeout':
      return 'timeout';
    default:
      return 'unavailable';
  }
}

/** Internals (streams, subjects, permissions, and what a bug throws) go to the log, not to clients. */
export function textForClient(error: Error): string {
  if (error instanceof ProtocolError) return error.message;
  return error instanceof BusError ? CLIENT_TEXTS[error.code] : 'unexpected server error';
}

/** The same failure with the protocol's code, for operators and embedding programs: with the bus' own text, and the bus' error as its cause. */
export function toProtocolError(error: Error): ProtocolError {
  return error instanceof ProtocolError ? error : new ProtocolError(codeOf(error), error.message, { cause: error });
}
