import type { Encoding } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import { addressOf, type FeedName } from '../protocol/feed-name.ts';
import { toBuffer } from '../protocol/kept-bytes.ts';
import { batchHeadBytes } from './frame.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** UTF-8 has at most so many bytes a character. */
const CHARACTER_BYTES_MAX = 4;

/** A frame that is larger than usual, because it has one large item, as numbered parts: each is a message of the usual size. They are made once for all that get them. */
export function inParts(topic: FeedName, encoding: Encoding, frame: Uint8Array, frameBytesMax: number): Uint8Array[] {
  const roomBytes = Math.max(2 * CHARACTER_BYTES_MAX, frameBytesMax - batchHeadBytes({ topic, epoch: '' }));
  const ends = encoding === 'msgpack' ? endsOfBytes(frame, roomBytes) : endsOfText(frame, roomBytes);
  const codec = CODECS[encoding];
  const address = addressOf(topic);
  return ends.map((end, index) => {
    const piece = frame.subarray(ends[index - 1] ?? 0, end);
    const data = encoding === 'msgpack' ? piece : toBuffer(piece).toString();
    return codec.encode({ type: 'part', ...address, part: index + 1, parts: ends.length, data });
  });
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
