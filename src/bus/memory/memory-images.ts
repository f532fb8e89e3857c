import type { Topic } from '../../protocol/topic.ts';
import { BusError } from '../bus-error.ts';
import type { ImageStore, StoredImage } from '../image-store.ts';
import type { Publication } from '../publication.ts';
import type { NamespaceStore } from './namespace-store.ts';

/** No topic begins like this. */
const IMAGE_PREFIX = '$image.';

/** An image is stored like a publication, of a topic that is none. */
export function isImage({ topic }: Pick<Publication, 'topic'>): boolean {
  return topic.startsWith(IMAGE_PREFIX);
}

export interface ImagePlace {
  /** Undefined: the bus is stopped. */
  store(): NamespaceStore | undefined;
  /** @returns its offset */
  append(draft: Omit<Publication, 'offset'>): number;
  nowMs(): number;
}

/** The images of a namespace's documents, in its store. */
export class MemoryImages implements ImageStore {
  readonly bytesMax = 1_040_384;
  readonly #place: ImagePlace;
  readonly #listeners = new Set<(topic: Topic, image: StoredImage) => void>();

  constructor(place: ImagePlace) {
    this.#place = place;
  }

  async last(topic: Topic): Promise<StoredImage | undefined> {
    const [last] = this.#open().readLast(imageTopic(topic), 1);
    return last && { offset: last.offset, storedAtMs: last.publishedAtMs, payload: last.payload };
  }

  async putPart(topic: Topic, part: number, payload: Uint8Array): Promise<number> {
    this.#open();
    return this.#append(partTopic(topic, part), payload, this.#place.nowMs());
  }

  async partAt(topic: Topic, part: number, offset: number): Promise<StoredImage | undefined> {
    const range = { after: offset - 1, upTo: offset, limit: 1 };
    const [found] = this.#open().read(partTopic(topic, part), range).publications;
    return found && { offset, storedAtMs: found.publishedAtMs, payload: found.payload };
  }

  async put(topic: Topic, payload: Uint8Array, after: number): Promise<number | undefined> {
    const store = this.#open();
    if (store.lastOffsetOf(imageTopic(topic)) !== after) return undefined;
    const publishedAtMs = this.#place.nowMs();
    const offset = this.#append(imageTopic(topic), payload, publishedAtMs);
    for (const listener of this.#listeners) listener(topic, { offset, storedAtMs: publishedAtMs, payload });
    return offset;
  }

  onStored(listener: (topic: Topic, image: StoredImage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #append(topic: Topic, payload: Uint8Array, publishedAtMs: number): number {
    const draft = { topic, key: null, payload: Buffer.from(payload), payloadKind: undefined, origin: undefined };
    return this.#place.append({ ...draft, publishedAtMs });
  }

  #open(): NamespaceStore {
    const store = this.#place.store();
    if (store === undefined) throw new BusError('bus_closed', 'the bus is stopped');
    return store;
  }
}

function imageTopic(topic: Topic): Topic {
  return `${IMAGE_PREFIX}${topic}` as Topic;
}

/** Different from the image of any topic: that has no second prefix. */
function partTopic(topic: Topic, part: number): Topic {
  return `${IMAGE_PREFIX}${part}.${IMAGE_PREFIX}${topic}` as Topic;
}
