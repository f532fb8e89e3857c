export type BusErrorCode =
  | 'bus_unreachable'
  | 'bus_closed'
  | 'bus_busy'
  | 'jetstream_unavailable'
  | 'stream_mismatch'
  | 'stream_missing'
  /** The broker refused to create it; its message says why. */
  | 'stream_refused'
  | 'server_too_old'
  | 'unknown_namespace'
  /** The mirror may contain what its origin has lost. */
  | 'mirror_too_old'
  | 'log_gone'
  | 'log_gap'
  | 'log_rolled_back'
  /** The broker denies it to this node. An operator can change that. */
  | 'permission_denied'
  | 'publish_timeout'
  | 'publish_refused'
  | 'no_responders'
  | 'call_timeout';

export class BusError extends Error {
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusError';
    this.code = code;
  }
}
