import type { FeedName } from '../protocol/feed-name.ts';
import { deflateFrame } from './deflate.ts';
import { batchHeadBytes, type EncodedItem, encodeBatch, itemsInForm, itemsPerFrame, type WireForm } from './frame.ts';
import { inParts } from './parts.ts';

/** Items to send, and the fields of their batch. */
export interface ItemRange {
  readonly items: readonly EncodedItem[];
  /** The topic's offset just before the range. */
  readonly prev: number;
  /** Publications of the range that were left out in favour of later ones of their key. */
  readonly conflated: number;
  /**
   * Its items are keys as they are now, not publications in their order, so only the end of it is a position. True: another range follows, which ends it. Absent:
   * each item is a position.
   */
  readonly continues?: boolean;
}

export interface BatchForm extends WireForm {
  readonly deflate: boolean;
}

export interface BatchTopic {
  /** The name of its feed. */
  readonly topic: FeedName;
  readonly epoch: string;
}

/** One frame, and what it covers of its topic. */
export interface BatchFrame {
  readonly bytes: Uint8Array;
  /** The topic's offset just before it. */
  readonly prev: number;
  /** The topic's offset after it: of a part that is not the last one, as before it. */
  readonly offset: number;
}

/** A whole range in one frame. Its items already have the right form. */
function buildFrame({ topic, epoch }: BatchTopic, { encoding, deflate }: BatchForm, range: ItemRange, sentAtMs: number): Uint8Array {
  const { items, prev, conflated, continues } = range;
  const frame = encodeBatch(encoding, { topic, epoch, prev, sentAtMs, conflated, continues }, items);
  return deflate ? deflateFrame(frame) : frame;
}

/**
 * A range in as few frames as the size limit permits. Each frame covers everything from the previous one up to its own last item; with `continues`, the last
 * frame covers all of it, and the others nothing. One with a single item that is larger than a frame comes in numbered parts, if its receivers put these together.
 */
export function buildFrames(topic: BatchTopic, form: BatchForm, range: ItemRange, sentAtMs: number, frameBytesMax: number): BatchFrame[] {
  const items = itemsInForm(range.items, form);
  const headBytes = batchHeadBytes(topic);
  const frames: BatchFrame[] = [];
  let { prev, conflated } = range;
  for (let start = 0; start < items.length; ) {
    const count = itemsPerFrame(form.encoding, items, start, headBytes, frameBytesMax);
    const part = count === items.length ? items : items.slice(start, start + count);
    const continues = range.continues === true || (range.continues === false && start + count < items.length);
    const offset = continues ? prev : (part[part.length - 1] as EncodedItem).offset;
    const bytes = buildFrame(topic, form, { items: part, prev, conflated, continues }, sentAtMs);
    if (form.parts !== true || bytes.length <= frameBytesMax) frames.push({ bytes, prev, offset });
    else frames.push(...partFrames(inParts(topic.topic, form.encoding, bytes, frameBytesMax), prev, offset));
    prev = offset;
    conflated = 0;
    start += count;
  }
  return frames;
}

function partFrames(parts: readonly Uint8Array[], prev: number, offset: number): BatchFrame[] {
  return parts.map((bytes, index) => ({ bytes, prev, offset: index === parts.length - 1 ? offset : prev }));
}
