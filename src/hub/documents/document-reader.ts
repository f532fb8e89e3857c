import { BusError } from '../../bus/bus-error.ts';
import { Limiter } from '../../bus/limiter.ts';
import type { Log } from '../../bus/log.ts';
import type { Publication } from '../../bus/publication.ts';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { LinkItem } from '../../link/publication-message.ts';
import { toBuffer } from '../../protocol/kept-bytes.ts';
import { unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import type { Topic } from '../../protocol/topic.ts';
import { toLinkItems } from '../link-item.ts';
import { documentBoundsOf, HubDocument } from './hub-document.ts';
import { decodeImage, type Image, type ImageOrigin, isInHistory, isOf, isSameBounds, itemOf, type LogHistory } from './image.ts';

/** Publications that are read first. If no whole document is among them, it is tried again with more. */
const FIRST_COUNT = 64;
const COUNT_FACTOR = 8;
/** Of the payloads of one read. What is further back is not used. */
const READ_BYTES_MAX = 32 * 1024 * 1024;
/** After an image, publications are read and folded in steps of so many. */
const STEP = { limit: 4096, bytesMax: 4 * 1024 * 1024 };
/** Reads at the same time. */
const READS_MAX = 2;

/** The last image in the log, whether it could be used or not. */
export interface KnownImage {
  /** Its own offset. */
  readonly storedAt: number;
  readonly storedAtMs: number;
  /** The document was folded from it, as it was here; 0: it was not used. */
  readonly covers: number;
  readonly bytes: number;
}

export interface ReadDocument {
  readonly document: HubDocument;
  /** Of the topic's last publication; undefined: it has none. */
  readonly offset: number | undefined;
  readonly image: KnownImage | undefined;
}

export interface DocumentReaderOptions {
  /** Number of reads that may wait. */
  readonly waitingMax: number;
  /** An image was made with other bounds of documents than this node has, so it is not used. */
  readonly onOtherBounds: (topic: Topic, detail: string) => void;
}

/**
 * Reads documents from the log: the last image whose history is still that of the log, and the publications after it. Without such an image: from the last
 * publication of a whole document; or from the first publication of the topic, if none before it has been removed.
 */
export class DocumentReader {
  readonly #reads: Limiter;
  readonly #options: DocumentReaderOptions;

  constructor(options: DocumentReaderOptions) {
    this.#options = options;
    this.#reads = new Limiter(READS_MAX, options.waitingMax);
  }

  /** @param history of the log, @param completeFrom of the document. @throws BusError, `bus_busy` if too many reads wait */
  read(log: Log, topic: Topic, namespace: NamespaceOptions, history: LogHistory, completeFrom = 0): Promise<ReadDocument> {
    return this.#reads.run(async () => {
      const stored = await log.images?.last(topic);
      const image = stored && decodeImage(stored);
      const isUsable = image !== undefined && isSameBounds(image.bounds, documentBoundsOf(namespace));
      if (image !== undefined && !isUsable)
        this.#options.onOtherBounds(topic, `it was made with the bounds ${JSON.stringify(image.bounds)}`);
      const fromImage = isUsable ? await readFromImage(log, topic, namespace, history, image, completeFrom) : undefined;
      const known = stored && {
        storedAt: stored.offset,
        storedAtMs: stored.storedAtMs,
        covers: fromImage === undefined ? 0 : (image?.offset ?? 0),
        bytes: stored.payload.length,
      };
      return { ...(fromImage ?? (await readWhole(log, topic, namespace, completeFrom))), image: known };
    });
  }
}

type Read = Pick<ReadDocument, 'document' | 'offset'>;

/** Whether the publication that an image is of is still in the log; undefined: the image is of another history, as far as can be proven. */
export async function isProven(log: Log, topic: Topic, image: ImageOrigin, history: LogHistory): Promise<boolean | undefined> {
  const [publication] = (await log.read(topic, { after: image.offset - 1, upTo: image.offset, limit: 1 })).publications;
  if (publication !== undefined && isOf(image, publication)) return true;
  // Another publication is there: the log was rolled back, and has grown again.
  return publication === undefined && isInHistory(image, history) ? false : undefined;
}

/** Undefined: it cannot be proven that the document is what the image and the publications after it say. */
async function readFromImage(
  log: Log,
  topic: Topic,
  namespace: NamespaceOptions,
  history: LogHistory,
  image: Image,
  completeFrom: number,
): Promise<Read | undefined> {
  const isThere = await isProven(log, topic, image, history);
  if (isThere === undefined) return undefined;
  const document = new HubDocument(documentBoundsOf(namespace), completeFrom, true);
  document.set(itemOf(image));
  let after = isThere ? image.offset : image.upTo;
  let offset = image.offset;
  for (;;) {
    const { publications, anchored, more } = await log.read(topic, { after, ...STEP });
    if (!anchored) return undefined;
    for (const item of toLinkItems(publications, namespace, topic)) document.take(item);
    after = offset = publications.at(-1)?.offset ?? offset;
    if (!more) return { document, offset };
    if (publications.length === 0) throw new BusError('bus_unreachable', `the log of ${log.namespace} has changed while it was read`);
  }
}

async function readWhole(log: Log, topic: Topic, namespace: NamespaceOptions, completeFrom: number): Promise<Read> {
  const bounds = documentBoundsOf(namespace);
  const documentOf = (items: readonly LinkItem[], isKnown: boolean) => {
    const document = new HubDocument(bounds, completeFrom, isKnown);
    for (const item of items) document.take(item);
    return document;
  };
  const fits = (item: LinkItem) => item.removed || documentOf([], true).problemOf(unpackMsgpack(toBuffer(item.data)), false) === undefined;
  for (let count = FIRST_COUNT; ; count *= COUNT_FACTOR) {
    const publications: readonly Publication[] = await log.readLast(topic, count, READ_BYTES_MAX);
    const offset = publications.at(-1)?.offset;
    const items = toLinkItems(publications, namespace, topic);
    const whole = items.findLastIndex((item) => !item.patch && fits(item));
    if (whole >= 0) return { document: documentOf(items.slice(whole), true), offset };
    if (publications.length === count) continue;
    const first = publications[0]?.offset;
    const beginning = await log.read(topic, { after: 0, limit: 1 });
    const isKnown = beginning.anchored && (first === undefined || beginning.publications[0]?.offset === first);
    return { document: documentOf(items, isKnown), offset };
  }
}
