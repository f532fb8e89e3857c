import { BusError, type BusErrorCode } from '../bus/bus.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';

const CLIENT_TEXTS: Partial<Record<BusErrorCode, string>> = {
  bus_unreachable: 'the broker cannot be reached now',
  bus_closed: 'the node is shutting down',
  jetstream_unavailable: 'the broker cannot be reached now',
  stream_missing: 'the log cannot be reached now',
  stream_mismatch: 'the log cannot be reached now',
  mirror_too_old: 'the log cannot be read now',
  log_gone: 'the log cannot be read now',
  log_gap: 'the log cannot be read now',
  log_rolled_back: 'the log cannot be read now',
  permission_denied: 'the broker denies this node the operation',
  publish_timeout: 'the log did not answer in time: the publication may or may not be stored',
  publish_refused: 'the broker refused the publication',
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

/** Internals of the bus (streams, subjects, permissions) go to the log, not to clients. */
export function textForClient(error: Error): string {
  if (!(error instanceof BusError)) return error.message;
  return CLIENT_TEXTS[error.code] ?? error.message;
}

/** The same failure with the protocol's code, for operators and embedding programs: with the bus' own text, and the bus' error as its cause. */
export function toProtocolError(error: Error): ProtocolError {
  return error instanceof ProtocolError ? error : new ProtocolError(codeOf(error), error.message, { cause: error });
}
