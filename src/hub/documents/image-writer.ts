import type { ImageStore, StoredImage } from '../../bus/image-store.ts';
import type { LogState } from '../../bus/log.ts';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { Topic } from '../../protocol/topic.ts';
import { ifInTime } from '../../telemetry/in-time.ts';
import { inTurns } from '../in-turns.ts';
import type { KnownImage } from './document-reader.ts';
import { type DocumentProgress, documentBoundsOf, type HubDocument } from './hub-document.ts';
import { HubDocuments, topicBoundsOf } from './hub-documents.ts';
import { decodeImage, encodeImage, type ImageOrigin } from './image.ts';
import { isImageDue, type LastImage, NO_IMAGE } from './image-due.ts';
import { decodeKeyedImage, encodeKeyedImage, encodeParts } from './keyed-image.ts';

/** An open topic, as far as its images need it. */
export interface ImagedTopic {
  readonly topic: Topic;
  readonly epoch: string;
  readonly isOpen: boolean;
  /** Or those of its keys. */
  readonly document: HubDocument | HubDocuments | undefined;
}

export type ImageOutcome =
  | 'stored'
  /** Another node stored one first. */
  | 'superseded'
  | 'failed'
  /** It is larger than a message of NATS may be. */
  | 'too_large'
  /** A topic was closed while too many images of closed topics waited. */
  | 'skipped'
  /** One in the log was not used, because it was made with other bounds of documents. */
  | 'other_bounds';

export interface ImageWriterOptions {
  readonly images: ImageStore;
  readonly namespace: NamespaceOptions;
  readonly intervalMs: number;
  /** Where the log is followed now; undefined: it is not. */
  readonly following: () => { readonly epoch: string; readonly position: number } | undefined;
  readonly logState: () => Promise<Pick<LogState, 'firstOffset' | 'lastOffset'>>;
  /** An image of a topic whose document is not known is in the log now. */
  readonly onHelp: (topic: Topic) => void;
  readonly onOutcome: (outcome: ImageOutcome, topic: Topic, detail?: string) => void;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** Looks in an interval. */
const LOOKS = 30;
/** Images that are written after one look, and at the same time. */
const DUE_MAX = 64;
const WRITES_MAX = 4;
/** Every node waits up to this share of the interval longer, so that mostly one of them makes the image. */
const SPREAD = 0.2;
/** Of images of closed topics that are not stored yet. */
const CLOSING_BYTES_MAX = 16 * 1024 * 1024;
/** How long images may delay a stop. */
const STOP_TIMEOUT_MS = 2000;

interface Watched {
  readonly topic: ImagedTopic;
  image: LastImage;
  /** Of this node, for the next image. */
  intervalMs: number;
  notBeforeMs: number;
}

interface Made {
  /** Stored before it; none of a topic with one document. */
  readonly parts: readonly Uint8Array[];
  /** @param partsAt where the parts are stored */
  readonly payloadOf: (partsAt: readonly number[]) => Uint8Array;
  readonly bytes: number;
  readonly progress: DocumentProgress;
}

/**
 * Writes images of the open documents of one namespace into its log: see {@link isImageDue} for when. Nodes need not agree on who writes: each image replaces the
 * last one only if nobody else has, and all nodes that follow the log see it.
 */
export class ImageWriter {
  readonly #options: ImageWriterOptions;
  /** One for each open topic, so `limits.topicsPerNodeMax` bounds it. */
  readonly #watched = new Map<Topic, Watched>();
  readonly #closing = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #closingBytes = 0;
  #looking = false;
  #range = { firstOffset: 1, lastOffset: 0 };
  #looks = 0;

  constructor(options: ImageWriterOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), options.intervalMs / LOOKS);
    this.#stopListening = options.images.onStored((topic, image) => this.#stored(topic, image));
  }

  /** It has been opened, or read again. @param known its last image in the log */
  opened(topic: ImagedTopic, known: KnownImage | undefined): void {
    const { nowMs } = this.#options;
    const atMs = Math.min(known?.storedAtMs ?? 0, nowMs());
    const image = known === undefined ? NO_IMAGE : { ...NO_IMAGE, ...known, atMs };
    this.#watched.set(topic.topic, { topic, image, intervalMs: this.#spread(), notBeforeMs: 0 });
  }

  closed({ topic }: ImagedTopic): void {
    const watched = this.#watched.get(topic);
    this.#watched.delete(topic);
    const made = watched && this.#makeIfDue(watched, true);
    if (watched === undefined || made === undefined) return;
    if (this.#closingBytes + made.bytes > CLOSING_BYTES_MAX) return this.#options.onOutcome('skipped', topic);
    this.#closingBytes += made.bytes;
    const writing = this.#write(watched, made).finally(() => {
      this.#closingBytes -= made.bytes;
      this.#closing.delete(writing);
    });
    this.#closing.add(writing);
  }

  /** Closes all topics. Resolves when their images are stored, or after some seconds. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopListening();
    for (const { topic } of [...this.#watched.values()]) this.closed(topic);
    await ifInTime(STOP_TIMEOUT_MS, Promise.allSettled(this.#closing));
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#watched.size === 0) return;
    this.#looking = true;
    try {
      if (this.#looks++ % LOOKS === 0) this.#range = await this.#options.logState().catch(() => this.#range);
      const due: Watched[] = [];
      for (const watched of this.#watched.values()) {
        if (due.length < DUE_MAX && this.#isDue(watched, false)) due.push(watched);
      }
      await inTurns(due, WRITES_MAX, async (watched) => {
        // Others were written before it, which takes time.
        const made = this.#makeIfDue(watched, false);
        if (made !== undefined) await this.#write(watched, made);
      });
    } finally {
      this.#looking = false;
    }
  }

  /** What goes wrong with one topic holds up no other. */
  #makeIfDue(watched: Watched, closing: boolean): Made | undefined {
    try {
      return this.#isDue(watched, closing) ? this.#make(watched) : undefined;
    } catch (error) {
      this.#failed(watched, error as Error);
      return undefined;
    }
  }

  #isDue({ topic, image, intervalMs, notBeforeMs }: Watched, closing: boolean): boolean {
    const nowMs = this.#options.nowMs();
    const { document } = topic;
    if (!topic.isOpen || document?.isKnown !== true || nowMs < notBeforeMs) return false;
    const { history } = this.#options.namespace;
    return isImageDue({
      progress: document.progress,
      image,
      closing,
      intervalMs: closing ? this.#options.intervalMs : intervalMs,
      retention: { countMax: history.maxCount, maxAgeMs: history.maxAgeMs, ...this.#range },
      nowMs,
    });
  }

  /** Undefined: there can be none now. */
  #make(watched: Watched): Made | undefined {
    const { topic, epoch, document, isOpen } = watched.topic;
    const following = this.#options.following();
    if (!isOpen || document?.isKnown !== true || following === undefined || following.epoch !== epoch) return undefined;
    const { progress } = document;
    const { offset, publishedAtMs, eventAtMs } = progress;
    const upTo = following.position;
    if (upTo < offset) return undefined;
    const origin = { epoch, offset, publishedAtMs, eventAtMs, upTo };
    const made = document instanceof HubDocuments ? this.#makeOfKeys(document, origin) : this.#makeOfOne(document, origin);
    if (typeof made !== 'string') return { ...made, progress };
    watched.notBeforeMs = this.#options.nowMs() + this.#options.intervalMs;
    this.#options.onOutcome('too_large', topic, `the image of ${topic} has ${made}, ${this.#options.images.bytesMax} allowed`);
    return undefined;
  }

  /** Or what of it is too large. */
  #makeOfOne(document: HubDocument, origin: ImageOrigin): Omit<Made, 'progress'> | string {
    const payload = encodeImage({ ...origin, bounds: documentBoundsOf(this.#options.namespace), document: document.encoded() });
    if (payload.length > this.#options.images.bytesMax) return `${payload.length} bytes`;
    return { parts: [], payloadOf: () => payload, bytes: payload.length };
  }

  #makeOfKeys(documents: HubDocuments, origin: ImageOrigin): Omit<Made, 'progress'> | string {
    const parts = encodeParts(documents.all(), origin, this.#options.images.bytesMax);
    if (parts === undefined) return 'a part that is too large';
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    const bounds = topicBoundsOf(this.#options.namespace);
    return { parts, payloadOf: (partsAt) => encodeKeyedImage({ ...origin, bounds, bytes, parts: partsAt }), bytes };
  }

  async #write(watched: Watched, { parts, payloadOf, bytes, progress }: Made): Promise<void> {
    const { images, onOutcome } = this.#options;
    const { topic } = watched.topic;
    const after = watched.image.storedAt;
    try {
      const partsAt: number[] = [];
      for (const [at, part] of parts.entries()) {
        // Another node was faster: the rest would be for nothing.
        if (watched.image.storedAt !== after) return onOutcome('superseded', topic);
        partsAt.push(await images.putPart(topic, at, part));
      }
      const storedAt = await images.put(topic, payloadOf(partsAt), after);
      onOutcome(storedAt === undefined ? 'superseded' : 'stored', topic);
      if (storedAt !== undefined) return this.#note(watched, { storedAt, bytes, covers: progress.offset }, progress);
      const last = await images.last(topic);
      // It may have been removed from the log.
      if (last === undefined) watched.image = NO_IMAGE;
      else this.#noteStored(watched, last);
    } catch (error) {
      this.#failed(watched, error as Error);
    }
  }

  #failed(watched: Watched, error: Error): void {
    const { onOutcome, nowMs, intervalMs } = this.#options;
    watched.notBeforeMs = nowMs() + intervalMs;
    onOutcome('failed', watched.topic.topic, error.message);
  }

  #stored(topic: Topic, image: StoredImage): void {
    const watched = this.#watched.get(topic);
    if (watched === undefined || image.offset <= watched.image.storedAt) return;
    this.#noteStored(watched, image);
    if (watched.topic.isOpen && watched.topic.document?.isKnown === false) this.#options.onHelp(topic);
  }

  #noteStored(watched: Watched, stored: StoredImage): void {
    const progress = watched.topic.document?.progress;
    const keyed = this.#options.namespace.patch ? decodeKeyedImage(stored) : undefined;
    const covers = (this.#options.namespace.patch ? keyed : decodeImage(stored))?.offset ?? 0;
    const bytes = keyed?.bytes ?? stored.payload.length;
    if (progress !== undefined) this.#note(watched, { storedAt: stored.offset, bytes, covers }, progress);
  }

  #note(watched: Watched, image: Pick<LastImage, 'storedAt' | 'bytes' | 'covers'>, { changes, changedBytes }: DocumentProgress): void {
    const { document } = watched.topic;
    if (document instanceof HubDocuments) document.mark();
    watched.image = { ...image, changes, changedBytes, atMs: this.#options.nowMs() };
    watched.intervalMs = this.#spread();
  }

  #spread(): number {
    return this.#options.intervalMs * (1 + SPREAD * Math.random());
  }
}
