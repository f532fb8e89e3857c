import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { StoredImage } from '../../bus/image-store.ts';
import type { LinkItem } from '../../link/publication-message.ts';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import type { Key } from '../../protocol/topic.ts';
import { unpackChecked } from '../../protocol/unpack-checked.ts';
import type { HubDocument } from './hub-document.ts';
import type { TopicBounds } from './hub-documents.ts';
import type { ImageOrigin } from './image.ts';

/** Of one image: with their bytes' bound more than any topic needs. */
export const IMAGE_PARTS_MAX = 1024;

const count = Type.Integer({ minimum: 0 });
const common = { version: Type.Literal(1), epoch: Type.String({ minLength: 1, maxLength: 256 }), offset: Type.Integer({ minimum: 1 }) };

const Head = Type.Object({
  ...common,
  publishedAtMs: Type.Number({ minimum: 0 }),
  eventAtMs: Type.Optional(count),
  upTo: Type.Integer({ minimum: 1 }),
  bounds: Type.Object({ bytesMax: count, depthMax: count, fieldsMax: count, keysMax: count, topicBytesMax: count }),
  bytes: count,
  parts: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: IMAGE_PARTS_MAX }),
});
const Part = Type.Object({
  ...common,
  part: count,
  parts: count,
  documents: Type.Array(
    Type.Tuple([Type.String(), Type.Integer({ minimum: 1 }), Type.Number(), Type.Union([Type.Null(), count]), Type.Unsafe<Uint8Array>({})]),
  ),
});
const head = Compile(Head);
const part = Compile(Part);

/** What says of an image of a keyed topic which parts it has. They are in the log before it. */
export interface KeyedImage extends ImageOrigin {
  readonly bounds: TopicBounds;
  /** Of all parts. */
  readonly bytes: number;
  /** The offset of each part in the log. */
  readonly parts: readonly number[];
}

/** A document and where it comes from: key, offset, when it was stored, when it happened, and the document in MessagePack. */
type KeyedDocument = readonly [key: string, offset: number, publishedAtMs: number, eventAtMs: number | null, document: Uint8Array];

/** Copied, because the packer's output is a view of its buffer. */
export function encodeKeyedImage({ eventAtMs, ...image }: KeyedImage): Uint8Array {
  return Buffer.from(packMsgpack({ version: 1, ...image, ...(eventAtMs !== undefined && { eventAtMs }) }));
}

/** @returns undefined if it is no image of this version, or none of this log */
export function decodeKeyedImage({ payload, offset: storedAt }: Pick<StoredImage, 'payload' | 'offset'>): KeyedImage | undefined {
  const image = unpackChecked<KeyedImage>(payload, head, Number.POSITIVE_INFINITY);
  const isPossible = image !== undefined && image.offset <= image.upTo && image.parts.every((at) => at < storedAt);
  return isPossible && image.upTo < storedAt ? image : undefined;
}

/** The part that a key is in. All nodes find the same. */
export function partOf(key: string, parts: number): number {
  // FNV-1a, of UTF-16 units.
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % parts;
}

/**
 * All documents as parts of at most so many bytes, by the hash of their keys: as few as there can be of a power of two.
 * @returns undefined: one of them would still be larger
 */
export function encodeParts(
  documents: Iterable<readonly [Key, HubDocument]>,
  { epoch, offset }: Pick<ImageOrigin, 'epoch' | 'offset'>,
  bytesMax: number,
): Uint8Array[] | undefined {
  const all: KeyedDocument[] = [];
  let bytes = 0;
  for (const [key, document] of documents) {
    const { offset: at, publishedAtMs, eventAtMs = null } = document.progress;
    const encoded = Buffer.from(document.encoded() as Uint8Array);
    bytes += encoded.length;
    all.push([key, at, publishedAtMs, eventAtMs, encoded]);
  }
  let parts = 1;
  while (parts * bytesMax < bytes) parts *= 2;
  for (; parts <= IMAGE_PARTS_MAX; parts *= 2) {
    const divided: KeyedDocument[][] = Array.from({ length: parts }, () => []);
    for (const document of all) divided[partOf(document[0], parts)]?.push(document);
    const encoded = divided.map((some, at) => Buffer.from(packMsgpack({ version: 1, epoch, offset, part: at, parts, documents: some })));
    if (encoded.every(({ length }) => length <= bytesMax)) return encoded;
    // More parts do not make a part smaller that has one document.
    if (divided.some((some, at) => some.length <= 1 && (encoded[at]?.length ?? 0) > bytesMax)) return undefined;
  }
  return undefined;
}

/** The documents of a part as items; undefined: it is not this part of this image. */
export function decodePart(payload: Uint8Array, image: KeyedImage, at: number): LinkItem[] | undefined {
  const found = unpackChecked<{ epoch: string; offset: number; part: number; parts: number; documents: KeyedDocument[] }>(
    payload,
    part,
    Number.POSITIVE_INFINITY,
  );
  if (found === undefined || found.epoch !== image.epoch || found.offset !== image.offset) return undefined;
  if (found.part !== at || found.parts !== image.parts.length) return undefined;
  return found.documents.map(([key, offset, publishedAtMs, eventAtMs, document]) => ({
    offset,
    key: key as Key,
    data: Buffer.from(document),
    publishedAtMs,
    ...(eventAtMs !== null && { eventAtMs }),
  }));
}
