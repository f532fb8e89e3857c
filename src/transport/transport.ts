import type { Encoding } from '../protocol/codec.ts';

/*
 * The seam between what carries bytes to clients and what decides which bytes. Session and delivery import this file of the room and no other; the room
 * imports neither of them. A second kind of transport (server-sent events, say) implements ClientSocket and calls ClientEvents.
 */

/**
 * One client's connection, as everything above the transport knows it. Nothing here knows messages, topics or tokens. All calls are allowed at any time:
 * once it has closed they do nothing.
 */
export interface ClientSocket {
  /**
   * It can join shards, so that one {@link PublishToShard} reaches it together with others. False: it is given every frame by {@link send}, and is never
   * asked to join. It does not change.
   */
  readonly isNative: boolean;
  readonly isOpen: boolean;
  /** Bytes that were sent and have not left yet; 0 once it has closed. */
  readonly bufferedBytes: number;
  /** @returns false: it is full, and has dropped the frame */
  send(frame: Uint8Array, binary: boolean): boolean;
  /** What `work` sends leaves in one write, where the transport can do that. */
  cork(work: () => void): void;
  join(shard: string): void;
  /** What was published to the shard and is still queued for the socket may be forgotten, if it is in no other shard. */
  leave(shard: string): void;
  /** Publishes to all members of a shard but this one, which is a member. */
  publishToOthers(shard: string, frame: Uint8Array, binary: boolean): void;
  /** Asks the peer whether it is there; {@link ClientEvents.controlFrame} tells the answer. */
  ping(): void;
  /** Tells the peer why, and closes. {@link ClientEvents.closed} is called before this returns. */
  end(code: number, reason: string): void;
  /** Closes without a word: the peer is gone. */
  cut(): void;
}

/** Hands a frame to all sockets that have joined the shard. */
export type PublishToShard = (shard: string, frame: Uint8Array, binary: boolean) => void;

/** Why a request became no connection. */
export interface RequestRefusal {
  /** As in `401 Unauthorized`. */
  readonly status: string;
  readonly why: string;
  readonly origin?: string;
  readonly path?: string;
}

/**
 * What a transport tells about its clients.
 *
 * @typeParam Client whatever `accept` returned for the socket
 */
export interface ClientEvents<Client> {
  /** Undefined: clients are taken; else why not now. */
  whyUnavailable(): string | undefined;
  /** Why the token is surely invalid, as far as that shows without its signature; undefined: it may be valid. */
  flawOf(token: string): string | undefined;
  /** Takes one place among the clients of this second; false: they come too fast. */
  takeConnect(): boolean;
  /** Makes what the transport knows the client by from now on. Nothing is sent here. */
  accept(socket: ClientSocket, encoding: Encoding): Client;
  /** @param token as it came with the request, not yet checked; undefined: none came */
  opened(client: Client, token: string | undefined): void;
  /** @param message is the transport's: it is emptied when this returns */
  message(client: Client, message: ArrayBuffer, isBinary: boolean): void;
  /** A ping or a pong. */
  controlFrame(client: Client, payloadBytes: number): void;
  /** The socket was full, and has dropped something that was published to one of its shards. Nothing may be sent, joined or left in this call. */
  dropped(client: Client): void;
  /** The socket has taken some of what waited for it. */
  drained(client: Client): void;
  closed(client: Client, code: number, reason: ArrayBuffer): void;
  refused(refusal: RequestRefusal): void;
}
