import type { PayloadKind } from '../config/schema.ts';
import type { Tags } from '../protocol/tags.ts';
import type { Key, Topic } from '../protocol/topic.ts';

/** What a producer may say of a publication. */
export interface Marks {
  /** Not for the connection that it comes from. */
  readonly noEcho?: true | undefined;
  /** Not kept, and not for subscribers that do not keep up now. Means nothing in durable namespaces. */
  readonly volatile?: true | undefined;
  /** In a document namespace: the whole document, not a patch. */
  readonly image?: boolean | undefined;
  /** When it happened, by its producer's clock: whole milliseconds since 1970. */
  readonly eventAtMs?: number | undefined;
  /** Absent: none. */
  readonly tags?: Tags | undefined;
}

/** One message on a topic, as its producer sent it. */
export interface Publication extends Marks {
  readonly topic: Topic;
  /** `null` in namespaces that are not keyed. */
  readonly key: Key | null;
  /** The place in the namespace's log; 0 in ephemeral namespaces. */
  readonly offset: number;
  /** When the bus stored it, milliseconds since 1970. */
  readonly publishedAtMs: number;
  /** Never changes, but may be a view of a larger buffer (up to 64 KiB). Copy what is kept for long. */
  readonly payload: Uint8Array;
  /** From the message's Content-Type. Undefined: as the namespace's option says. */
  readonly payloadKind: PayloadKind | undefined;
  readonly origin: Origin | undefined;
}

/** Who published, if a client did, or a program on behalf of a connection. */
export interface Origin {
  /** Empty: a program that names only the connection. */
  readonly user: string;
  /** Unique across nodes. */
  readonly connectionId: string;
}

export interface PublishRequest extends Marks {
  readonly topic: Topic;
  readonly key: Key | null;
  /** For another view or a buffer: the bytes that it covers, in memory order. */
  readonly payload: Uint8Array;
  readonly payloadKind: PayloadKind;
  /** Publications of a namespace with the same id within the deduplication window are stored once. See {@link messageId}. */
  readonly messageId?: string;
  readonly origin?: Origin;
}

export interface PublishAck {
  /** Empty for ephemeral namespaces. */
  readonly epoch: string;
  /** The offset of the publication; for a duplicate, that of the first one. 0 for ephemeral namespaces. */
  readonly offset: number;
  readonly duplicate: boolean;
}
