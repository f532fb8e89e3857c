import type { Encoding } from '../protocol/codec.ts';

/*
 * The seam between what carries bytes to clients and what decides which bytes. Session and delivery import only this file of the folder; the folder imports
 * neither of them. A second transport (for example server-sent events) implements ClientSocket and calls ClientEvents.
 */

/**
 * One client's connection, for everything above the transport. It knows nothing of messages, topics or tokens. All calls are allowed at any time: after the
 * close they do nothing.
 */
export interface ClientSocket {
  /**
   * Whether it can join shards, so that one {@link PublishToShard} reaches it together with others. If false, it gets every frame by {@link send}, and is never
   * asked to join. It does not change.
   */
  readonly isNative: boolean;
  readonly isOpen: boolean;
  /** Bytes that were passed to it and have not been sent yet; 0 after the close. */
  readonly bufferedBytes: number;
  /**
   * @param eventId what the peer sends when it comes back, if this frame was the last one that it got; only for streams of events
   * @returns false if it is full, and has dropped the frame
   */
  send(frame: Uint8Array, binary: boolean, eventId?: string): boolean;
  /** Everything that `work` sends goes into one write, if the transport supports that. */
  cork(work: () => void): void;
  join(shard: string): void;
  /** If it is in no other shard, what was published to the shard and is still queued for the socket may be lost. */
  leave(shard: string): void;
  /** Publishes to all members of a shard except this one, which is a member. */
  publishToOthers(shard: string, frame: Uint8Array, binary: boolean): void;
  /** Pings the peer; {@link ClientEvents.controlFrame} reports the answer. */
  ping(): void;
  /** Closes with a code and reason. {@link ClientEvents.closed} is called before this returns. */
  end(code: number, reason: string): void;
  /** Closes without a close frame, because the peer no longer responds. */
  cut(): void;
}

/** Sends a frame to all sockets that have joined the shard. */
export type PublishToShard = (shard: string, frame: Uint8Array, binary: boolean) => void;

/** Why a request was not upgraded. */
export interface RequestRefusal {
  /** As in `401 Unauthorized`. */
  readonly status: string;
  readonly why: string;
  readonly origin?: string;
  readonly path?: string;
}

/** A request that is answered without a connection. */
export interface ClientRequest {
  readonly kind: 'publish' | 'history';
  /** Not verified; undefined: there is none. */
  readonly token: string | undefined;
  /** Without the question mark. */
  readonly query: string;
  readonly body: Uint8Array;
  /** Where it comes from: the same text for the same peer. */
  readonly address: string;
}

/** What a request is answered with. */
export type RequestOutcome =
  /** @param body JSON */
  { readonly kind: 'answer'; readonly body: Uint8Array } | RequestRefused;

export interface RequestRefused {
  readonly kind: 'refused';
  /** Stable: for programs. */
  readonly code: string;
  /** Text for people. */
  readonly message: string;
  /** HTTP status; absent: that of the code. */
  readonly status?: number;
  /** The code and the message are those of a hook. */
  readonly service?: true;
  readonly retryAfterMs?: number;
}

/**
 * The events of a transport's clients.
 *
 * @typeParam Client what `accept` returned for the socket
 * @typeParam Stream what `streamOf` returned for a request
 */
export interface ClientEvents<Client, Stream = unknown> {
  /** Undefined: clients are accepted; otherwise why not. */
  whyUnavailable(): string | undefined;
  /** Why the token is certainly invalid, from what can be checked without its signature; undefined: it may be valid. */
  flawOf(token: string): string | undefined;
  /**
   * Counts a client against the rates of connects. Call last, so that requests that are refused for something else do not count.
   *
   * @param address the same text for the same client
   * @returns undefined: it may connect
   */
  takeConnect(address: string): RequestRefused | undefined;
  /** Creates the object by which the transport identifies the client from now on. Nothing is sent here. */
  accept(client: { readonly socket: ClientSocket; readonly address: string; readonly encoding: Encoding }, stream?: Stream): Client;
  /** @param token from the request, not verified yet; undefined: there was none */
  opened(client: Client, token: string | undefined): void;
  /** What a request for a stream of events asks for. @param lastEventId of the last event that the peer got; empty: there is none */
  streamOf(query: string, lastEventId: string): { readonly kind: 'stream'; readonly stream: Stream } | RequestRefused;
  /** The same as {@link ClientEvents.opened}, for a stream of events: it begins with what its request asks for. */
  openedStream(client: Client, token: string | undefined, stream: Stream): void;
  /** @param message belongs to the transport: it is emptied when this returns */
  message(client: Client, message: ArrayBuffer, isBinary: boolean): void;
  /** A ping or a pong. */
  controlFrame(client: Client, payloadBytes: number): void;
  /** The socket was full, and has dropped something that was published to one of its shards. In this call nothing may be sent, and no shard joined or left. */
  dropped(client: Client): void;
  /** The socket has accepted some of what waited for it. */
  drained(client: Client): void;
  closed(client: Client, code: number, reason: ArrayBuffer): void;
  refused(refusal: RequestRefusal): void;
  /** Never rejects. */
  request(request: ClientRequest): Promise<RequestOutcome>;
}
