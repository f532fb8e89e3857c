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

/** Members of a shard get the same batches: with twelve shards a topic and some topics, the one wanted is among so many. */
const BATCHES_MAX = 128;
/** Clients that were cut off together ask from the same place, and get the same answer; a large one. */
const ANSWERS_MAX = 16;

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' });
const NONE: readonly number[] = [];

interface Known {
  readonly bytes: Buffer;
  readonly frame: Frame;
}

/** Decodes frames, each only once, however many clients get it. */
export class FrameReader {
  readonly #batches: Known[] = [];
  readonly #answers: Known[] = [];

  read(bytes: Buffer, start: number, end: number): Frame {
    const known = find(this.#batches, bytes, start, end) ?? find(this.#answers, bytes, start, end);
    if (known !== undefined) return known;
    const copy = Buffer.from(bytes.subarray(start, end));
    const frame = decode(copy);
    if (frame.message.type === 'batch') remember(this.#batches, BATCHES_MAX, { bytes: copy, frame });
    else if (frame.offsets.length > 1) remember(this.#answers, ANSWERS_MAX, { bytes: copy, frame });
    return frame;
  }
}

/** The latest first: that is where it nearly always is. */
function find(all: readonly Known[], bytes: Buffer, start: number, end: number): Frame | undefined {
  for (let i = all.length - 1; i >= 0; i--) {
    const known = all[i]!;
    if (known.bytes.length === end - start && known.bytes.compare(bytes, start, end) === 0) return known.frame;
  }
  return undefined;
}

function remember(all: Known[], max: number, known: Known): void {
  all.push(known);
  if (all.length > max) all.shift();
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
