import type { Log } from '../bus/bus.ts';
import { Limiter } from '../bus/limiter.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import type { LinkItem } from '../link/messages.ts';
import { unpackMsgpack } from '../protocol/msgpack-codec.ts';
import type { Topic } from '../protocol/topic.ts';
import { documentBoundsOf, HubDocument } from './hub-document.ts';
import { toLinkItems } from './link-item.ts';

/** Publications that are read first. If no whole document is among them, it is tried again with more. */
const FIRST_COUNT = 64;
const COUNT_FACTOR = 8;
/** Of the payloads of one read. What is further back is not used. */
const READ_BYTES_MAX = 32 * 1024 * 1024;
/** Reads at the same time. */
const READS_MAX = 2;

export interface ReadDocument {
  readonly document: HubDocument;
  /** Of the topic's last publication; undefined: it has none. */
  readonly offset: number | undefined;
}

/** Folds documents from the log: from the last publication of a whole one; or from the first publication of the topic, if none before it has been removed. */
export class DocumentReader {
  readonly #reads: Limiter;

  /** @param waitingMax number of reads that may wait */
  constructor(waitingMax: number) {
    this.#reads = new Limiter(READS_MAX, waitingMax);
  }

  /** @param completeFrom of the document. @throws BusError, `bus_busy` if too many reads wait */
  read(log: Log, topic: Topic, namespace: NamespaceOptions, completeFrom = 0): Promise<ReadDocument> {
    return this.#reads.run(() => read(log, topic, namespace, completeFrom));
  }
}

async function read(log: Log, topic: Topic, namespace: NamespaceOptions, completeFrom: number): Promise<ReadDocument> {
  const bounds = documentBoundsOf(namespace);
  const documentOf = (items: readonly LinkItem[], isKnown: boolean) => {
    const document = new HubDocument(bounds, completeFrom, isKnown);
    for (const item of items) document.take(item);
    return document;
  };
  const fits = (item: LinkItem) => item.removed || documentOf([], true).problemOf(unpackMsgpack(item.data), false) === undefined;
  for (let count = FIRST_COUNT; ; count *= COUNT_FACTOR) {
    const publications = await log.readLast(topic, count, READ_BYTES_MAX);
    const offset = publications.at(-1)?.offset;
    const items = toLinkItems(publications, namespace);
    const whole = items.findLastIndex((item) => !item.patch && fits(item));
    if (whole >= 0) return { document: documentOf(items.slice(whole), true), offset };
    if (publications.length === count) continue;
    const first = publications[0]?.offset;
    const beginning = await log.read(topic, { after: 0, limit: 1 });
    const isKnown = beginning.anchored && (first === undefined || beginning.publications[0]?.offset === first);
    return { document: documentOf(items, isKnown), offset };
  }
}
