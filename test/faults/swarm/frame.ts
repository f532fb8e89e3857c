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

/** Members of a shard get the same bytes: with twelve shards a topic and some topics, the one wanted is among so many. */
const REMEMBERED_MAX = 128;

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' });
const NONE: readonly number[] = [];

/** Decodes frames, each only once, however many clients get it. */
export class FrameReader {
  readonly #remembered: { readonly bytes: Buffer; readonly frame: Frame }[] = [];
  #next = 0;

  read(bytes: Buffer, start: number, end: number): Frame {
    const length = end - start;
    for (let i = 1; i <= this.#remembered.length; i++) {
      const known = this.#remembered[(this.#next - i + REMEMBERED_MAX) % REMEMBERED_MAX];
      if (known === undefined || known.bytes.length !== length) continue;
      if (known.bytes.compare(bytes, start, end) === 0) return known.frame;
    }
    const copy = Buffer.from(bytes.subarray(start, end));
    const frame = decode(copy);
    // What answers one client alone is not worth a place.
    if (frame.message.type === 'batch') {
      this.#remembered[this.#next] = { bytes: copy, frame };
      this.#next = (this.#next + 1) % REMEMBERED_MAX;
    }
    return frame;
  }
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
