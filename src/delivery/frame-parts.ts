import type { BatchFrame } from '../fanout/batch.ts';
import { batchHeadBytes } from '../fanout/frame.ts';
import { toBuffer } from '../fanout/kept-bytes.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { Encoding } from '../protocol/codec.ts';
import { addressOf, type FeedName } from '../protocol/feed-name.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { Position } from '../recent/position.ts';
import type { Receiver } from './receiver.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** UTF-8 has at most so many bytes a character. */
const CHARACTER_BYTES_MAX = 4;

/** Ephemeral topics have no positions, which say what a frame covers. */
export function takesParts(receiver: Receiver, { namespace }: TopicFeed): boolean {
  return receiver.takesParts && namespace.durable;
}

export interface FramePartsOptions {
  readonly encoding: Encoding;
  readonly frame: Uint8Array;
  readonly frameBytesMax: number;
  readonly behind?: readonly BatchFrame[];
}

/**
 * A frame that is larger than usual, because it has one large item, as numbered parts: each is a message of the usual size, and the socket takes them one after
 * the other. It holds the frame until the last one has been taken.
 */
export class FrameParts {
  readonly #topic: FeedName;
  readonly #encoding: Encoding;
  readonly #frame: Uint8Array;
  /** Where each part ends. */
  readonly #ends: readonly number[];
  /** The client's position when it has all of them. */
  after: Position | undefined;
  /** Frames of the same batch, for when all parts have been sent. */
  readonly behind: readonly BatchFrame[];
  #next = 0;

  constructor(topic: FeedName, { encoding, frame, frameBytesMax, behind = [] }: FramePartsOptions) {
    this.#topic = topic;
    this.behind = behind;
    this.#encoding = encoding;
    this.#frame = frame;
    const roomBytes = Math.max(2 * CHARACTER_BYTES_MAX, frameBytesMax - batchHeadBytes({ topic, epoch: '' }));
    this.#ends = encoding === 'msgpack' ? endsOfBytes(frame, roomBytes) : endsOfText(frame, roomBytes);
  }

  get isDone(): boolean {
    return this.#next === this.#ends.length;
  }

  /** The next part; there must be one. */
  next(): ServerMessage<'part'> {
    const piece = this.#frame.subarray(this.#ends[this.#next - 1] ?? 0, this.#ends[this.#next]);
    const data = this.#encoding === 'msgpack' ? piece : toBuffer(piece).toString();
    return { type: 'part', ...addressOf(this.#topic), part: ++this.#next, parts: this.#ends.length, data };
  }
}

function endsOfBytes({ length }: Uint8Array, roomBytes: number): number[] {
  const ends: number[] = [];
  for (let end = roomBytes; end < length; end += roomBytes) ends.push(end);
  ends.push(length);
  return ends;
}

/** Of JSON, which is written as a text of JSON again: no part ends within a character, and escapes count. */
function endsOfText(text: Uint8Array, roomBytes: number): number[] {
  const ends: number[] = [];
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number;
    const isWithinCharacter = (byte & 0xc0) === 0x80;
    if (bytes > roomBytes - CHARACTER_BYTES_MAX && !isWithinCharacter) {
      ends.push(at);
      bytes = 0;
    }
    bytes += byte === QUOTE || byte === BACKSLASH ? 2 : 1;
  }
  ends.push(text.length);
  return ends;
}
