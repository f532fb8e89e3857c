import type { Receiver } from '../delivery/receiver.ts';
import type { CloseReason } from '../protocol/close-codes.ts';
import type { Codec } from '../protocol/codec.ts';
import { ERROR_KINDS, type ErrorCode } from '../protocol/errors.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { ErrorCount } from './error-budget.ts';
import type { HeartbeatPeer } from './heartbeat.ts';
import { ANONYMOUS, type Identity } from './identity.ts';
import type { CommandsInFlight } from './in-flight.ts';
import type { Inbound } from './inbound-limits.ts';
import type { Bucket } from './rate-limit.ts';
import type { Unread } from './read-turns.ts';

/**
 * One client's connection, as a session: who it is, and how much it may still ask for. What limits count are fields of it, so that a limit costs no object.
 */
export class Connection implements Bucket, CommandsInFlight, ErrorCount, HeartbeatPeer, Inbound {
  /** Its subscriptions, and what it is sent. */
  readonly receiver: Receiver;
  identity: Identity = ANONYMOUS;
  /** Has said who it is: by a token at the upgrade, by `connect`, or by using anonymous access. */
  ready = false;
  /** `connect` has been answered, or any other command has been taken: too late for another. */
  connected = false;
  /** A token being checked: whatever the client sent behind it waits for the outcome. */
  authenticating: Promise<void> | undefined;
  publishesInFlight = 0;
  callsInFlight = 0;
  historiesInFlight = 0;
  commandsInFlight = 0;
  commandBytesInFlight = 0;
  /** Token bucket of the message rate limit. */
  rateTokens = Number.POSITIVE_INFINITY;
  rateAtMs = 0;
  /** Token buckets of what it sends, control frames included. */
  frameTokens = Number.POSITIVE_INFINITY;
  byteTokens = Number.POSITIVE_INFINITY;
  inboundAtMs = 0;
  /** Token bucket of commands that come in arrays; made with the first array. */
  commandBucket: Bucket | undefined;
  /** Token bucket of calls; made with the first call. */
  callBucket: Bucket | undefined;
  /** Messages that came when the loop had no time for them. */
  unread: Unread | undefined;
  errors = 0;
  errorsSinceMs = 0;
  /** Pings that were not answered in time, in a row. */
  missedPongs = 0;
  awaitsPong = false;

  constructor(receiver: Receiver) {
    this.receiver = receiver;
  }

  get id(): string {
    return this.receiver.id;
  }

  get codec(): Codec {
    return this.receiver.codec;
  }

  get isOpen(): boolean {
    return this.receiver.isOpen;
  }

  send(message: ServerMessage): void {
    this.receiver.send(message);
  }

  sendError(id: number | undefined, code: ErrorCode, message: string, retryAfterMs?: number): void {
    this.send({
      type: 'error',
      code,
      message,
      retryable: ERROR_KINDS[code].retryable,
      ...(id !== undefined && { id }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  /** Closes it. @param text says more than the reason's own */
  end(reason: CloseReason, text?: string): void {
    this.receiver.end(reason, text);
  }
}
