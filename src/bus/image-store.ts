import type { Topic } from '../protocol/topic.ts';

export interface StoredImage {
  /** Its own place in the log. It is not the offset of any publication. */
  readonly offset: number;
  /** When the bus stored it, milliseconds since 1970. */
  readonly storedAtMs: number;
  /** May be a view of a larger buffer. */
  readonly payload: Uint8Array;
}

/**
 * Images of the documents of a namespace: what a topic's document was at some publication. They are in the log of the publications, so that one cannot be rolled
 * back, restored or lost without the other. What is in an image is the hub's matter.
 */
export interface ImageStore {
  /** Maximum bytes of an image, and of a part of one. */
  readonly bytesMax: number;
  /** The topic's last image; undefined: it has none. @throws BusError `bus_unreachable`, `bus_busy` */
  last(topic: Topic): Promise<StoredImage | undefined>;
  /**
   * Stores an image, if the topic's last one is still the one at `after` (0: none). The image is taken to be as of now: it is not sent again.
   * @returns its offset; undefined: another one was stored meanwhile
   * @throws BusError `bus_unreachable` (it may or may not be stored), `permission_denied`
   */
  put(topic: Topic, payload: Uint8Array, after: number): Promise<number | undefined>;
  /**
   * Stores a part of an image that is going to be put. It is read by its offset, which the image says.
   * @throws as {@link put}
   */
  putPart(topic: Topic, part: number, payload: Uint8Array): Promise<number>;
  /** The part at this offset; undefined: it is not there any more. @throws BusError `bus_unreachable`, `bus_busy` */
  partAt(topic: Topic, part: number, offset: number): Promise<StoredImage | undefined>;
  /** Called for every image in the log, by any node, while this node follows the log. Returns a function that stops it. */
  onStored(listener: (topic: Topic, image: StoredImage) => void): () => void;
}
