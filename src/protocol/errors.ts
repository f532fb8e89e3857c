/** What a client may do after an error, and whether it counts against the client. */
export interface ErrorKind {
  /** The same command may succeed later. */
  readonly retryable: boolean;
  /**
   * A mistake of the client. More than `tuning.commands.errorsPerMinuteMax` of them a minute close its connection permanently with 4009. Errors caused by the
   * server's limits or its environment do not count, nor does an unsubscribe that is executed before its subscribe has completed.
   */
  readonly countsTowardsClose: boolean;
  readonly meaning: string;
}

/** Every code an `error` message may carry. Codes are stable: they are never renamed, only added. */
export const ERROR_KINDS = {
  bad_message: {
    retryable: false,
    countsTowardsClose: true,
    meaning: 'The message is invalid in the chosen encoding, or does not match the schema.',
  },
  unknown_type: { retryable: false, countsTowardsClose: true, meaning: 'Unknown message type in this version.' },
  message_too_big: { retryable: false, countsTowardsClose: true, meaning: 'The message or its payload exceeds a size limit.' },
  bad_topic: { retryable: false, countsTowardsClose: true, meaning: 'The topic does not match the topic grammar.' },
  bad_key: { retryable: false, countsTowardsClose: true, meaning: 'The key does not match the key grammar.' },
  unknown_namespace: { retryable: false, countsTowardsClose: true, meaning: 'The first token of the topic is not a configured namespace.' },
  key_required: { retryable: false, countsTowardsClose: true, meaning: 'The topic is keyed: a publication must have a key.' },
  key_not_allowed: { retryable: false, countsTowardsClose: true, meaning: 'The topic is not keyed: a publication must not have a key.' },
  bad_payload: { retryable: false, countsTowardsClose: true, meaning: 'The data does not match the payload format of the namespace.' },
  document_too_large: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'The publication would make the document larger, deeper or of more fields than the namespace allows.',
  },
  unauthorized: { retryable: false, countsTowardsClose: true, meaning: 'No token, or an invalid one.' },
  token_expired: { retryable: false, countsTowardsClose: true, meaning: 'The token has expired; refresh it.' },
  token_revoked: { retryable: false, countsTowardsClose: true, meaning: 'The token has been revoked. The connection is closed with 4011.' },
  forbidden: { retryable: false, countsTowardsClose: true, meaning: 'The token does not permit this.' },
  already_connected: { retryable: false, countsTowardsClose: true, meaning: '`connect` was sent twice, or not as the first command.' },
  not_subscribed: { retryable: false, countsTowardsClose: false, meaning: 'The connection is not subscribed to this topic.' },
  unsubscribed: { retryable: false, countsTowardsClose: false, meaning: 'The operator has ended the subscription to this topic.' },
  too_many_connections: {
    retryable: false,
    countsTowardsClose: false,
    meaning:
      'The user has as many connections as allowed, on all nodes together: the connection is closed with 4008. Or the address of the client has, and gets HTTP status 429.',
  },
  too_many_topics: { retryable: false, countsTowardsClose: false, meaning: 'The connection has reached its maximum number of topics.' },
  too_many_patterns: {
    retryable: true,
    countsTowardsClose: false,
    meaning:
      'The node, or the namespace on it, has its maximum of patterns open, or this user or address its share of them. Subscribe to topics, or retry later.',
  },
  too_many_selections: {
    retryable: true,
    countsTowardsClose: false,
    meaning:
      'The topic has its maximum of different selections in the worker of this connection, or this user or address its share of them. Subscribe with one that others have, or retry later.',
  },
  rate_limited: {
    retryable: true,
    countsTowardsClose: false,
    meaning: 'Too many messages or bytes per second from this connection, or connects per second from its address.',
  },
  busy: {
    retryable: true,
    countsTowardsClose: false,
    meaning: 'A queue of the node is full, or this user or address has its share of something; retry later.',
  },
  unavailable: {
    retryable: true,
    countsTowardsClose: false,
    meaning: 'The broker, the hub or the key set for tokens cannot be reached now.',
  },
  outcome_unknown: {
    retryable: true,
    countsTowardsClose: false,
    meaning: 'The publish was not answered in time: it may or may not be stored. It can be repeated with the same idempotency key.',
  },
  timeout: { retryable: true, countsTowardsClose: false, meaning: 'No answer within the time allowed.' },
  too_many_calls: {
    retryable: true,
    countsTowardsClose: false,
    meaning: 'Too many calls per second from this connection; other commands are not affected.',
  },
  no_responders: { retryable: true, countsTowardsClose: false, meaning: 'No service answers this method now.' },
  answer_too_large: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'The service answered with more than the node passes on. The call has been carried out.',
  },
  bad_answer: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'The answer of the service is invalid in its format. The call has been carried out.',
  },
  no_such_connection: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'To a server that sends or calls: no node has this connection now.',
  },
  no_handler: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'To a server that calls: the client has no handler for this method.',
  },
  connection_closed: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'To a server that calls: the connection closed before the client answered. The call may have been carried out.',
  },
  service_error: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'The service refused the call without a code of its own.',
  },
  hook_denied: {
    retryable: false,
    countsTowardsClose: false,
    meaning: 'A hook of the operator refused it without a code of its own.',
  },
  hook_failed: {
    retryable: true,
    countsTowardsClose: false,
    meaning: 'The operator’s hook that decides about the request gave no valid answer in time.',
  },
  unsupported: { retryable: false, countsTowardsClose: true, meaning: 'This node or namespace does not offer the command or option.' },
  internal: { retryable: true, countsTowardsClose: false, meaning: 'Unexpected server error; it has been logged.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/** V8's default, if it has not been frozen. */
const STACKS = Error as { stackTraceLimit?: number };
const STACKS_MAY_BE_LEFT_OUT = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.writable === true;

/**
 * An error that is sent to the peer: `code` is one of {@link ERROR_KINDS}. If possible it has no stack trace: clients that send too much get a hundred thousand
 * of these a second, and a stack trace costs 7 to 20 µs.
 */
export class ProtocolError extends Error {
  readonly code: ErrorCode;
  /** Do not retry earlier than this. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    const { stackTraceLimit } = STACKS;
    if (STACKS_MAY_BE_LEFT_OUT) STACKS.stackTraceLimit = 0;
    super(message, options);
    if (STACKS_MAY_BE_LEFT_OUT) STACKS.stackTraceLimit = stackTraceLimit as number;
    this.name = 'ProtocolError';
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}
