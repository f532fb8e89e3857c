import { type BatchForm, type BatchFrame, buildFrames, type ItemRange } from '../fanout/batch.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';

/** Frames say when they were made, and clients compute latencies from that. */
const AGE_MAX_MS = 250;
/** Ranges: those of a document that many return to at different positions, and what came after it. */
const RANGES_MAX = 64;

interface Shared {
  readonly feed: TopicFeed;
  readonly life: number;
  readonly form: BatchForm;
  readonly range: ItemRange;
  readonly madeAtMs: number;
  readonly frames: readonly BatchFrame[];
  readonly bytes: number;
}

export interface SharedFramesOptions {
  readonly frameBytesMax: number;
  /** Of all frames that are kept. A range that exceeds it alone is not kept. */
  readonly bytesMax: number;
}

/**
 * The frames of connections that catch up, made once for those that need the same at about the same time: many return to one document at once, and get the same
 * few changes. The oldest go first, by number and bytes.
 */
export class SharedFrames {
  readonly #options: SharedFramesOptions;
  /** Oldest first. */
  #kept: Shared[] = [];
  #bytes = 0;

  constructor(options: SharedFramesOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get ranges(): number {
    return this.#kept.length;
  }

  of(feed: TopicFeed, form: BatchForm, range: ItemRange, nowMs: number): readonly BatchFrame[] {
    this.forgetOld(nowMs);
    const known = this.#kept.find((one) => isSame(one, feed, form, range));
    if (known !== undefined) return known.frames;
    const { frameBytesMax, bytesMax } = this.#options;
    const frames = buildFrames(feed, form, range, nowMs, frameBytesMax);
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
    if (bytes > bytesMax) return frames;
    this.#kept.push({ feed, life: feed.life, form, range, madeAtMs: nowMs, frames, bytes });
    this.#bytes += bytes;
    while (this.#kept.length > RANGES_MAX || this.#bytes > bytesMax) this.#forgetFirst();
    return frames;
  }

  /** Also called about once a second, so that nothing stays when nobody catches up. */
  forgetOld(nowMs: number): void {
    // Also where the clock was set back.
    while (this.#kept.length > 0 && Math.abs(nowMs - (this.#kept[0] as Shared).madeAtMs) > AGE_MAX_MS) this.#forgetFirst();
  }

  #forgetFirst(): void {
    this.#bytes -= this.#kept.shift()?.bytes ?? 0;
  }
}

function isSame({ feed, life, form, range }: Shared, otherFeed: TopicFeed, otherForm: BatchForm, other: ItemRange): boolean {
  return (
    feed === otherFeed &&
    life === otherFeed.life &&
    range.prev === other.prev &&
    range.conflated === other.conflated &&
    range.continues === other.continues &&
    range.items.length === other.items.length &&
    form.encoding === otherForm.encoding &&
    form.deflate === otherForm.deflate &&
    form.timestamps === otherForm.timestamps &&
    form.parts === otherForm.parts &&
    range.items.every((item, at) => item === other.items[at])
  );
}
