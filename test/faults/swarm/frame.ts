import { Unpackr } from 'msgpackr';
import type { Item, ServerMessage } from '../../../src/protocol/messages.ts';

/** A decoded frame. Of its items only places and ids are kept: the ledger refers to frames, and keeps all of them. */
export interface Frame {
  readonly message: ServerMessage;
  readonly offsets: readonly number[];
  readonly ids: readonly number[];
  /** Index in the ledger; -1 before it is first referred to. */
  index: number;
}

/** Total size of the remembered frames. Lagging clients get frames that others had seconds ago; to decode them again would slow the swarm down. */
const REMEMBERED_BYTES_MAX = 64 * 1024 * 1024;
/** Topic, epoch, place and time lie at the beginning of a frame. */
const HASHED_HEAD = 56;
const HASHED_TAIL = 8;

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' });
const NONE: readonly number[] = [];

interface Known {
  readonly bytes: Buffer;
  readonly frame: Frame;
}

/** Decodes frames, each only once, however many clients get it. */
export class FrameReader {
  readonly #byHash = new Map<number, Known>();
  #bytes = 0;

  read(bytes: Buffer, start: number, end: number): Frame {
    const hash = hashOf(bytes, start, end);
    const known = this.#byHash.get(hash);
    if (known !== undefined && known.bytes.length === end - start && known.bytes.compare(bytes, start, end) === 0) return known.frame;
    const copy = Buffer.from(bytes.subarray(start, end));
    const frame = decode(copy);
    // An answer with nothing in it is one client's.
    if (frame.message.type === 'batch' || frame.offsets.length > 1) this.#remember(hash, { bytes: copy, frame });
    return frame;
  }

  #remember(hash: number, known: Known): void {
    this.#forget(hash);
    this.#byHash.set(hash, known);
    this.#bytes += known.bytes.length;
    for (const oldest of this.#byHash.keys()) {
      if (this.#bytes <= REMEMBERED_BYTES_MAX) return;
      this.#forget(oldest);
    }
  }

  #forget(hash: number): void {
    this.#bytes -= this.#byHash.get(hash)?.bytes.length ?? 0;
    this.#byHash.delete(hash);
  }
}

/** FNV-1a over the length, the beginning and the end: whether it is the same frame is then compared. */
function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  const headEnd = Math.min(end, start + HASHED_HEAD);
  for (let i = start; i < headEnd; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  for (let i = Math.max(headEnd, end - HASHED_TAIL); i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}

function decode(bytes: Buffer): Frame {
  const message = unpackr.unpack(bytes) as ServerMessage & { items?: Item[] };
  const { items } = message;
  if (items === undefined) return { message, offsets: NONE, ids: NONE, index: -1 };
  const offsets: number[] = [];
  const ids: number[] = [];
  for (const [offset, , data] of items) {
    // A place covered with nothing in it is no delivery.
    if (data === undefined) continue;
    offsets.push(offset);
    ids.push((data as { readonly id: number }).id);
  }
  message.items = [];
  return { message, offsets, ids, index: -1 };
}
