import type { KeptBytes } from './kept-bytes.ts';
import type { Tags } from './tags.ts';
import type { Key, Topic } from './topic.ts';

/** A publication, as the hub passes it on to workers, and these to the fan-out. */
export interface PublishedItem {
  readonly offset: number;
  readonly key: Key | null;
  /** One MessagePack value. The hub keeps very many, and the link passes on views of what it reads. */
  readonly data: KeptBytes;
  /** When the bus stored it, milliseconds since 1970. */
  readonly publishedAtMs: number;
  /** When it happened, by its producer's clock: whole milliseconds since 1970. */
  readonly eventAtMs?: number | undefined;
  /** The user that published it, and the connection, if a client did. A program may name only a connection. */
  readonly user?: string;
  readonly connectionId?: string;
  /** Not for this connection. */
  readonly noEcho?: true;
  /** Not kept, and not for subscribers that do not keep up now. */
  readonly volatile?: true;
  /** The key, or the document, was removed: an empty payload or null in a topic with keys or a document. */
  readonly removed?: true;
  /** `data` is a merge patch of the topic's document. */
  readonly patch?: true;
  /** The topic of the publication: where it is for feeds of patterns. */
  readonly topic?: Topic;
  /** Absent: none. */
  readonly tags?: Tags | undefined;
}
