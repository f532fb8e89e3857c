/** What a client may do about an error: `retryable` says that the same command may succeed later. */
export interface ErrorKind {
  readonly retryable: boolean;
  readonly meaning: string;
}

/** Every code an `error` message may carry. Codes are stable: they are never renamed, only added. */
export const ERROR_KINDS = {
  bad_message: { retryable: false, meaning: 'The message is not valid in the chosen encoding, or misses its schema.' },
  unknown_type: { retryable: false, meaning: 'No such message type in this version.' },
  message_too_big: { retryable: false, meaning: 'The message or its payload exceeds a size limit.' },
  bad_topic: { retryable: false, meaning: 'The topic breaks the topic grammar.' },
  bad_key: { retryable: false, meaning: 'The key breaks the key grammar.' },
  unknown_namespace: { retryable: false, meaning: "The topic's first token is no configured namespace." },
  key_required: { retryable: false, meaning: 'The topic is keyed: a publication needs a key.' },
  key_not_allowed: { retryable: false, meaning: 'The topic is not keyed: a publication takes no key.' },
  bad_payload: { retryable: false, meaning: "The data does not fit the namespace's payload kind." },
  unauthorized: { retryable: false, meaning: 'No token, or one that does not hold.' },
  token_expired: { retryable: false, meaning: 'The token has expired; refresh it.' },
  forbidden: { retryable: false, meaning: 'The token does not permit this.' },
  already_connected: { retryable: false, meaning: 'connect was sent twice, or not first.' },
  not_subscribed: { retryable: false, meaning: 'The connection is not subscribed to this topic.' },
  too_many_topics: { retryable: false, meaning: 'The connection holds as many topics as it may.' },
  rate_limited: { retryable: true, meaning: 'Too many messages a second from this connection.' },
  busy: { retryable: true, meaning: 'A bounded queue of the node is full; try again.' },
  unavailable: { retryable: true, meaning: 'The broker or the hub cannot be reached now.' },
  outcome_unknown: {
    retryable: true,
    meaning: 'The publish was not answered within its budget: it may or may not be stored. The same idempotency key may be sent again.',
  },
  timeout: { retryable: true, meaning: 'No answer within the time allowed.' },
  no_responders: { retryable: true, meaning: 'Nobody serves this method now.' },
  unsupported: { retryable: false, meaning: 'This node or namespace does not offer the command or option.' },
  internal: { retryable: true, meaning: 'A bug or a broken world on the server; it has been logged.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/** A refusal that the peer is told about: `code` is one of {@link ERROR_KINDS}. */
export class ProtocolError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProtocolError';
    this.code = code;
  }

  get retryable(): boolean {
    return ERROR_KINDS[this.code].retryable;
  }
}
