import type { Encoding } from '../protocol/codec.ts';
import { type KeptBytes, toBuffer } from '../protocol/kept-bytes.ts';
import type { EncodedItem } from './frame.ts';

/** An item to which the time is added. */
export interface Timeable extends EncodedItem {
  /** When the log stored it, milliseconds since 1970. */
  readonly publishedAtMs: number;
  /** Where its `meta` begins in MessagePack, or would be inserted. */
  readonly metaAt: number;
  readonly hasMeta: boolean;
}

const FIELD = 'publishedAtMs';
const MAP_OF_ONE = 0x81;
const ARRAY_OF_FOUR = 0x94;
/** Header of the map, if there is none yet; the name with its header; a 64-bit integer with its header. */
const FIELD_BYTES = 1 + FIELD.length + 9;

/**
 * An item for subscribers that requested timestamps: with `meta.publishedAtMs`, in whole milliseconds. It is created from the item's own encoding, once per
 * frame, and not kept: the ring does not contain it.
 */
export class TimedItem implements EncodedItem {
  readonly offset: number;
  readonly #item: Timeable;
  #msgpack: Uint8Array | undefined;
  #json: Uint8Array | undefined;

  constructor(item: Timeable) {
    this.offset = item.offset;
    this.#item = item;
  }

  encoded(encoding: Encoding): KeptBytes {
    if (encoding === 'json') {
      this.#json ??= withTimeInJson(this.#item);
      return this.#json;
    }
    this.#msgpack ??= withTimeInMsgpack(this.#item);
    return this.#msgpack;
  }

  timed(): EncodedItem {
    return this;
  }
}

function withTimeInMsgpack(item: Timeable): Uint8Array {
  const { hasMeta, metaAt } = item;
  const plain = toBuffer(item.encoded('msgpack'));
  const bytes = Buffer.allocUnsafe(plain.length + FIELD_BYTES + (hasMeta ? 0 : 1));
  bytes.set(plain);
  bytes[0] = ARRAY_OF_FOUR;
  // A map of so few fields has its count in its first byte.
  bytes[metaAt] = hasMeta ? (plain[metaAt] as number) + 1 : MAP_OF_ONE;
  let at = hasMeta ? plain.length : metaAt + 1;
  bytes[at++] = 0xa0 | FIELD.length;
  at += bytes.write(FIELD, at, 'latin1');
  bytes[at++] = 0xcf;
  bytes.writeBigUInt64BE(BigInt(wholeMs(item)), at);
  return bytes;
}

function withTimeInJson(item: Timeable): Uint8Array {
  const plain = toBuffer(item.encoded('json'));
  const field = `"${FIELD}":${wholeMs(item)}}]`;
  // `…,{"origin":"ann"}]` or `…]`
  return item.hasMeta
    ? Buffer.concat([plain.subarray(0, -2), Buffer.from(`,${field}`)])
    : Buffer.concat([plain.subarray(0, -1), Buffer.from(`,{${field}`)]);
}

/** NATS counts in nanoseconds; a fraction of a millisecond would take more bytes than it is worth. */
function wholeMs({ publishedAtMs }: Timeable): number {
  return Math.max(0, Math.floor(publishedAtMs));
}
