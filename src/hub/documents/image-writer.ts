import type { LogState } from '../../bus/bus.ts';
import type { ImageStore, StoredImage } from '../../bus/image-store.ts';
import type { NamespaceOptions } from '../../config/schema.ts';
import type { Topic } from '../../protocol/topic.ts';
import { ifInTime } from '../../telemetry/in-time.ts';
import { inTurns } from '../in-turns.ts';
import type { KnownImage } from './document-reader.ts';
import { type DocumentProgress, documentBoundsOf, type HubDocument } from './hub-document.ts';
import { decodeImage, encodeImage } from './image.ts';
import { isImageDue, type LastImage, NO_IMAGE } from './image-due.ts';

/** An open topic, as far as its images need it. */
export interface ImagedTopic {
  readonly topic: Topic;
  readonly epoch: string;
  readonly isOpen: boolean;
  readonly document: HubDocument | undefined;
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
  readonly payload: Uint8Array;
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
    if (this.#closingBytes + made.payload.length > CLOSING_BYTES_MAX) return this.#options.onOutcome('skipped', topic);
    this.#closingBytes += made.payload.length;
    const writing = this.#write(watched, made).finally(() => {
      this.#closingBytes -= made.payload.length;
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
    const bounds = documentBoundsOf(this.#options.namespace);
    const payload = encodeImage({ epoch, offset, publishedAtMs, eventAtMs, upTo, bounds, document: document.encoded() });
    const { bytesMax } = this.#options.images;
    if (payload.length <= bytesMax) return { payload, progress };
    watched.notBeforeMs = this.#options.nowMs() + this.#options.intervalMs;
    this.#options.onOutcome('too_large', topic, `the image of ${topic} has ${payload.length} bytes, ${bytesMax} allowed`);
    return undefined;
  }

  async #write(watched: Watched, { payload, progress }: Made): Promise<void> {
    const { images, onOutcome } = this.#options;
    const { topic } = watched.topic;
    try {
      const storedAt = await images.put(topic, payload, watched.image.storedAt);
      onOutcome(storedAt === undefined ? 'superseded' : 'stored', topic);
      if (storedAt !== undefined) return this.#note(watched, { storedAt, bytes: payload.length, covers: progress.offset }, progress);
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
    const covers = decodeImage(stored)?.offset ?? 0;
    if (progress !== undefined) this.#note(watched, { storedAt: stored.offset, bytes: stored.payload.length, covers }, progress);
  }

  #note(watched: Watched, image: Pick<LastImage, 'storedAt' | 'bytes' | 'covers'>, { changes, changedBytes }: DocumentProgress): void {
    watched.image = { ...image, changes, changedBytes, atMs: this.#options.nowMs() };
    watched.intervalMs = this.#spread();
  }

  #spread(): number {
    return this.#options.intervalMs * (1 + SPREAD * Math.random());
  }
}
