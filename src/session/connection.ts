import type { Receiver } from '../delivery/receiver.ts';
import type { Owner } from '../delivery/shares.ts';
import type { CloseReason } from '../protocol/close-codes.ts';
import type { Codec } from '../protocol/codec.ts';
import { ERROR_KINDS, type ErrorCode } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Bucket } from '../telemetry/rate-limit.ts';
import type { ApprovalOf } from './approval.ts';
import type { ErrorCount } from './error-budget.ts';
import type { Expiring } from './expiry.ts';
import type { HeartbeatPeer } from './heartbeat.ts';
import { ANONYMOUS, type Identity } from './identity.ts';
import type { CommandsInFlight } from './in-flight.ts';
import type { Inbound } from './inbound-limits.ts';
import type { Reader, Unread } from './read-turns.ts';

/** One client's connection, as a session: its identity, and its limits. Counters of limits are fields of it, so that a limit needs no object. */
export class Connection implements Bucket, CommandsInFlight, ErrorCount, Expiring, HeartbeatPeer, Inbound, Reader {
  /** Its subscriptions, and what is sent to it. */
  readonly receiver: Receiver;
  readonly address: string;
  identity: Identity = ANONYMOUS;
  /** It is authenticated: by a token in the upgrade, by `connect`, or as anonymous. */
  ready = false;
  /** `connect` has been answered, or another command was accepted first: `connect` is no longer allowed. */
  connected = false;
  /** A token that is being verified. Everything that the client sent after it waits for the result. */
  authenticating: Promise<void> | undefined;
  publishesInFlight = 0;
  callsInFlight = 0;
  /** Calls of servers that the client has not answered. */
  callsReceived = 0;
  historiesInFlight = 0;
  commandsInFlight = 0;
  commandBytesInFlight = 0;
  /** Token bucket of the message rate limit. */
  rateTokens = Number.POSITIVE_INFINITY;
  rateAtMs = 0;
  /** Token buckets of received frames and bytes, including control frames. */
  frameTokens = Number.POSITIVE_INFINITY;
  byteTokens = Number.POSITIVE_INFINITY;
  inboundAtMs = 0;
  /** Token bucket of commands in arrays; created with the first array. */
  commandBucket: Bucket | undefined;
  /** Token bucket of calls; created with the first call. */
  callBucket: Bucket | undefined;
  /** Commands that wait for a subscribe hook. */
  hooksAsked = 0;
  /** The last subscribe to each topic that waits for a hook. */
  asking: Map<FeedName, object> | undefined;
  /** Subscriptions that a hook has allowed until some time. */
  approvals: Map<FeedName, ApprovalOf<Connection>> | undefined;
  /** Messages that have not been read yet, because the loop had no time. */
  unread: Unread | undefined;
  errors = 0;
  errorsSinceMs = 0;
  /** Pings in a row that were not answered in time. */
  missedPongs = 0;
  awaitsPong = false;
  heartbeatSlot = 0;
  /** When its token expires, or until when `connect` must have been received. */
  dueSecond = 0;
  /** The hub counts it among the connections of its user. */
  countedOfUser = false;
  /** When it was opened, by {@link secondsNow}. A small integer, so that it needs no object of its own. */
  readonly openedAtS = secondsNow();

  /** @param address whose connections are counted; empty: no limit needs it */
  constructor(receiver: Receiver, address = '') {
    this.receiver = receiver;
    this.address = address;
  }

  get id(): string {
    return this.receiver.id;
  }

  /** Whose share its commands count for. */
  get owner(): Owner {
    return this.receiver.owner;
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

  /** Closes it. @param text more details than the reason's own text */
  end(reason: CloseReason, text?: string): void {
    this.receiver.end(reason, text);
  }
}

/** Whole seconds, from any origin. */
export function secondsNow(): number {
  return Math.floor(performance.now() / 1000);
}
