import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { StoredImage } from '../../bus/image-store.ts';
import type { LogState } from '../../bus/log.ts';
import type { DocumentBounds } from '../../document/bounds.ts';
import type { LinkItem } from '../../link/publication-message.ts';
import { keepBytes } from '../../protocol/kept-bytes.ts';
import { packMsgpack } from '../../protocol/msgpack-codec.ts';
import { unpackChecked } from '../../protocol/unpack-checked.ts';

const count = Type.Integer({ minimum: 0 });

const Wire = Type.Object({
  version: Type.Literal(1),
  epoch: Type.String({ minLength: 1, maxLength: 256 }),
  offset: Type.Integer({ minimum: 1 }),
  publishedAtMs: Type.Number({ minimum: 0 }),
  eventAtMs: Type.Optional(count),
  upTo: Type.Integer({ minimum: 1 }),
  bounds: Type.Object({ bytesMax: count, depthMax: count, fieldsMax: count }),
  document: Type.Union([Type.Null(), Type.Unsafe<Uint8Array>({})]),
});
const wire = Compile(Wire);

/** Which publication an image is of, and how to find out whether the log still has the history that it belongs to. */
export interface ImageOrigin {
  readonly epoch: string;
  /** Of the last publication that is in it. */
  readonly offset: number;
  /** When the log stored that publication. Two publications never have the same time, so this is its fingerprint, as for epochs. */
  readonly publishedAtMs: number;
  /** When that happened, by its producer's clock. Nodes without event times have not written it. */
  readonly eventAtMs?: number | undefined;
  /** The topic had no other publication up to here. */
  readonly upTo: number;
}

/** A document as it was at a publication. */
export interface Image extends ImageOrigin {
  /** With other bounds another publication may have been skipped, and the document be another. */
  readonly bounds: DocumentBounds;
  /** In MessagePack; undefined: there is none. */
  readonly document: Uint8Array | undefined;
}

/** Copied, because the packer's output is a view of its buffer. */
export function encodeImage({ document, eventAtMs, ...head }: Image): Uint8Array {
  const time = eventAtMs !== undefined && { eventAtMs };
  return Buffer.from(packMsgpack({ version: 1, ...head, ...time, document: document ?? null }));
}

/** @returns undefined if it is no image of this version */
export function decodeImage({ payload, offset: storedAt }: Pick<StoredImage, 'payload' | 'offset'>): Image | undefined {
  const image = unpackChecked<Omit<Image, 'document'> & { document: unknown }>(payload, wire, Number.POSITIVE_INFINITY);
  if (image === undefined) return undefined;
  const { document } = image;
  // What it is of was stored before it. Otherwise the log has been rolled back to before that, and grown again.
  const isPossible = image.offset <= image.upTo && image.upTo < storedAt;
  if (!isPossible || (document !== null && !(document instanceof Uint8Array))) return undefined;
  return { ...image, document: document ?? undefined };
}

/** The document as one item: the whole of it as of its last publication. */
export function itemOf({ offset, publishedAtMs, eventAtMs, document }: Image): LinkItem {
  const item = { offset, key: null, publishedAtMs, ...(eventAtMs !== undefined && { eventAtMs }) };
  return document === undefined ? { ...item, data: keepBytes(packMsgpack(null)), removed: true } : { ...item, data: keepBytes(document) };
}

/** Times of the same publication differ by less: the bus rounds them. */
const SAME_TIME_MS = 0.001;

/** Whether the publication at the image's offset is the one that the image is of. */
export function isOf({ publishedAtMs }: ImageOrigin, publication: { readonly publishedAtMs: number }): boolean {
  return Math.abs(publishedAtMs - publication.publishedAtMs) < SAME_TIME_MS;
}

/**
 * Whether positions up to the image's `upTo` are those of the present log, which has removed the image's publication with everything before it. (If it had been
 * removed because the topic has too many, so would have been what follows the image.)
 */
export function isInHistory(
  { epoch, offset, upTo }: ImageOrigin,
  { epoch: now, before = [], knownFrom = 0, firstOffset }: LogHistory,
): boolean {
  if (upTo < knownFrom || firstOffset <= offset) return false;
  return epoch === now || before.some((earlier) => earlier.epoch === epoch && upTo <= earlier.upTo);
}

export type LogHistory = Pick<LogState, 'epoch' | 'before' | 'knownFrom' | 'firstOffset'>;

export function isSameBounds<B extends DocumentBounds>(a: B, b: B): boolean {
  return (Object.keys(b) as (keyof B)[]).every((name) => a[name] === b[name]);
}
