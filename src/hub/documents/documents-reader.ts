import type { StoredImage } from '../../bus/image-store.ts';
import { Limiter } from '../../bus/limiter.ts';
import type { Log } from '../../bus/log.ts';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { Key, Topic } from '../../protocol/topic.ts';
import { toLinkItem } from '../link-item.ts';
import { type DocumentReaderOptions, isProven, type KnownImage } from './document-reader.ts';
import { HubDocuments, topicBoundsOf } from './hub-documents.ts';
import { isSameBounds, type LogHistory } from './image.ts';
import { decodeKeyedImage, decodePart, type KeyedImage } from './keyed-image.ts';

/** Reads at the same time. */
const READS_MAX = 2;

export interface ReadDocuments {
  readonly documents: HubDocuments;
  /** Of the topic's last publication; undefined: it has none. */
  readonly offset: number | undefined;
  readonly image: KnownImage | undefined;
}

export interface DocumentsReaderOptions extends DocumentReaderOptions {
  /** Removed keys that are remembered. */
  readonly removedMax: number;
}

/**
 * Reads the documents of a keyed topic from the log: the last image whose history is still that of the log, if all of its parts are there, and the publications
 * after it. Without such an image: each key from its last whole publication; or from its first one, if nothing of the topic has been removed. A key of which
 * there is neither is not known.
 */
export class DocumentsReader {
  readonly #reads: Limiter;
  readonly #options: DocumentsReaderOptions;

  constructor(options: DocumentsReaderOptions) {
    this.#options = options;
    this.#reads = new Limiter(READS_MAX, options.waitingMax);
  }

  /** @param history of the log, @param completeFrom of the documents. @throws BusError, `bus_busy` if too many reads wait */
  read(log: Log, topic: Topic, namespace: NamespaceOptions, history: LogHistory, completeFrom = 0): Promise<ReadDocuments> {
    return this.#reads.run(async () => {
      const stored = await log.images?.last(topic);
      const image = stored && decodeKeyedImage(stored);
      const isUsable = image !== undefined && isSameBounds(image.bounds, topicBoundsOf(namespace));
      if (image !== undefined && !isUsable)
        this.#options.onOtherBounds(topic, `it was made with the bounds ${JSON.stringify(image.bounds)}`);
      const { removedMax } = this.#options;
      // Which keys were removed before that is not known.
      const begin = (from: number) =>
        new HubDocuments({ bounds: topicBoundsOf(namespace), removedMax, completeFrom: Math.max(completeFrom, from) });
      const fromImage = isUsable ? await readFromImage(log, topic, namespace, history, image, begin(image.offset)) : undefined;
      const { documents, offset } = fromImage ?? (await readWhole(log, topic, namespace, begin(history.firstOffset - 1)));
      return { documents, offset, image: stored && knownImage(stored, fromImage && image) };
    });
  }
}

type Read = Pick<ReadDocuments, 'documents' | 'offset'>;

/** @param used undefined: it was not */
function knownImage({ offset: storedAt, storedAtMs, payload }: StoredImage, used: KeyedImage | undefined): KnownImage {
  return { storedAt, storedAtMs, covers: used?.offset ?? 0, bytes: used?.bytes ?? payload.length };
}

/** Undefined: it cannot be proven that the documents are what the image and the publications after it say. */
async function readFromImage(
  log: Log,
  topic: Topic,
  namespace: NamespaceOptions,
  history: LogHistory,
  image: KeyedImage,
  documents: HubDocuments,
): Promise<Read | undefined> {
  const isThere = await isProven(log, topic, image, history);
  if (isThere === undefined) return undefined;
  for (const [at, offset] of image.parts.entries()) {
    const stored = await log.images?.partAt(topic, at, offset);
    const items = stored && decodePart(stored.payload, image, at);
    if (items === undefined) return undefined;
    for (const item of items) documents.set(item);
  }
  documents.setLast(image);
  const after = isThere ? image.offset : image.upTo;
  const { anchored, offset } = await log.scan(topic, { after, sinceMs: image.publishedAtMs }, (publication) => {
    const result = toLinkItem(publication, namespace);
    if (result.kind === 'item') documents.take(result.item);
  });
  return anchored ? { documents, offset: Math.max(offset, image.offset) } : undefined;
}

async function readWhole(log: Log, topic: Topic, namespace: NamespaceOptions, documents: HubDocuments): Promise<Read> {
  const seen = new Set<Key>();
  /** Keys that began with a change. */
  const doubtful = new Set<Key>();
  const { anchored, offset } = await log.scan(topic, { after: 0 }, (publication) => {
    const result = toLinkItem(publication, namespace);
    if (result.kind !== 'item') return;
    const { item } = result;
    const key = item.key as Key;
    const taken = documents.take(item);
    if (item.patch && !seen.has(key)) doubtful.add(key);
    if (!item.patch && taken.kind === 'folded') doubtful.delete(key);
    seen.add(key);
  });
  if (!anchored) documents.forget(doubtful);
  return { documents, offset: offset === 0 ? undefined : offset };
}
