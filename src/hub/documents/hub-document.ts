import type { NamespaceOptions } from '../../config/schema.ts';
import { type DocumentBounds, documentProblem, patchProblem } from '../../document/bounds.ts';
import { Fold } from '../../document/fold.ts';
import { sizeOf } from '../../document/size.ts';
import type { LinkItem } from '../../link/publication-message.ts';
import { keepBytes, toBuffer } from '../../protocol/kept-bytes.ts';
import { packMsgpack, unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import type { Latest } from '../../recent/latest.ts';
import type { Position } from '../../recent/position.ts';

/** What happens with a publication of a document topic. */
export type Taken =
  | { readonly kind: 'folded' }
  /** The document would be too large. It stays what it was. */
  | { readonly kind: 'refused'; readonly problem: string }
  /** It is a patch of a document that is not known. */
  | { readonly kind: 'unknown' }
  /** It sets or removes a document that was not known: now it is. */
  | { readonly kind: 'begun' };

const FOLDED: Taken = { kind: 'folded' };
const UNKNOWN: Taken = { kind: 'unknown' };
const BEGUN: Taken = { kind: 'begun' };

export function documentBoundsOf(namespace: NamespaceOptions): DocumentBounds {
  const { documentBytesMax: bytesMax, documentDepthMax: depthMax, documentFieldsMax: fieldsMax } = namespace;
  return { bytesMax, depthMax, fieldsMax };
}

/** How far a document has come, for its images. */
export interface DocumentProgress {
  /** Of the last publication that is folded; 0: none. */
  readonly offset: number;
  /** When that was stored. */
  readonly publishedAtMs: number;
  /** When it happened, by its producer's clock. */
  readonly eventAtMs?: number | undefined;
  /** The last publication that set it as a whole, or the image that it was read from, or the first publication: from there it can be folded again. */
  readonly baseOffset: number;
  readonly baseAtMs: number;
  /** Publications since, and what they take in a log. */
  readonly changes: number;
  readonly changedBytes: number;
  /** Bytes of the document, about. */
  readonly bytes: number;
}

/** What a publication takes in a log besides its payload, about. */
export const LOG_OVERHEAD_BYTES = 100;

/**
 * The document of a topic in the hub: every publication is folded into it, once for all workers. It answers with the whole document as of its last publication.
 * What came after some offset, workers compose.
 */
export class HubDocument implements Latest<LinkItem> {
  readonly completeFrom: number;
  readonly #bounds: DocumentBounds;
  readonly #fold = Fold.ofDocument(undefined);
  #isKnown: boolean;
  #last: LinkItem | undefined;
  /** The whole document, once somebody has asked. */
  #whole: LinkItem | undefined;
  #base: Pick<LinkItem, 'offset' | 'publishedAtMs'> | undefined;
  #changes = 0;
  #changedBytes = 0;

  /** @param isKnown false: a patch says nothing about it, until it is set or removed */
  constructor(bounds: DocumentBounds, completeFrom: number, isKnown: boolean) {
    this.#bounds = bounds;
    this.completeFrom = completeFrom;
    this.#isKnown = isKnown;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  get progress(): DocumentProgress {
    const { offset = 0, publishedAtMs = 0, eventAtMs }: Partial<LinkItem> = this.#last ?? {};
    const { offset: baseOffset = 0, publishedAtMs: baseAtMs = 0 } = this.#base ?? {};
    return {
      offset,
      publishedAtMs,
      eventAtMs,
      baseOffset,
      baseAtMs,
      changes: this.#changes,
      changedBytes: this.#changedBytes,
      bytes: this.#fold.size.bytes,
    };
  }

  /** Of the document, in MessagePack, about. */
  get bytes(): number {
    return this.#fold.size.bytes;
  }

  /** The same after a value, as a patch or as a whole. */
  bytesAfter(value: unknown, isPatch: boolean): number {
    return (isPatch ? this.#fold.sizeAfter(value) : sizeOf(value)).bytes;
  }

  /** The whole of it in MessagePack, not copied; undefined: there is none. Only if it is known. */
  encoded(): Uint8Array | undefined {
    const document = this.#fold.document();
    return document === undefined ? undefined : packMsgpack(document);
  }

  take(item: LinkItem): Taken {
    if (!this.#isKnown && item.patch) return UNKNOWN;
    const value = item.removed ? undefined : unpackMsgpack(toBuffer(item.data));
    const problem = item.removed ? undefined : this.problemOf(value, item.patch === true);
    if (problem !== undefined) return { kind: 'refused', problem };
    this.#add(item, value);
    if (this.#isKnown) return FOLDED;
    this.#isKnown = true;
    return BEGUN;
  }

  /** Why a value would make the document too large, as a patch or as a whole. A patch of a document that is not known is compared with an empty one. */
  problemOf(value: unknown, isPatch: boolean): string | undefined {
    return isPatch ? patchProblem(this.#fold, value, this.#bounds) : documentProblem(value, this.#bounds);
  }

  /** An item of the state. */
  set(item: LinkItem): undefined {
    this.#add(item, item.removed ? undefined : unpackMsgpack(toBuffer(item.data)));
  }

  between(): LinkItem[] {
    const whole = this.#wholeItem();
    return whole === undefined ? [] : [whole];
  }

  after(offset: number): LinkItem[] | undefined {
    if (!this.#isKnown || offset < this.completeFrom) return undefined;
    return this.between().filter((item) => item.offset > offset);
  }

  next(from: Position): { items: LinkItem[]; position: Position } {
    const items = this.between().filter((item) => item.offset > from.offset);
    return { items, position: { sequence: -1, offset: items.at(-1)?.offset ?? from.offset } };
  }

  #add(item: LinkItem, value: unknown): void {
    if (item.patch) {
      this.#fold.patch(value);
      this.#changes++;
      this.#changedBytes += item.data.length + LOG_OVERHEAD_BYTES;
    } else {
      this.#fold.replace(value);
      this.#base = undefined;
      this.#changes = 0;
      this.#changedBytes = 0;
    }
    // Not the item itself, which has the bytes of its data.
    this.#base ??= { offset: item.offset, publishedAtMs: item.publishedAtMs };
    this.#last = item;
    this.#whole = item.patch ? undefined : item;
  }

  #wholeItem(): LinkItem | undefined {
    if (this.#last === undefined || !this.#isKnown) return undefined;
    if (this.#whole !== undefined) return this.#whole;
    const { offset, key, publishedAtMs, eventAtMs } = this.#last;
    const data = keepBytes(packMsgpack(this.#fold.document()));
    this.#whole = { offset, key, data, publishedAtMs, ...(eventAtMs !== undefined && { eventAtMs }) };
    return this.#whole;
  }
}
