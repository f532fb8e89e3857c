import { Packr, Unpackr } from 'msgpackr';
import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { assertMsgpack } from './msgpack-scan.ts';
import { toWireValue, WireValueError } from './wire-value.ts';

/**
 * No records (msgpackr's own extension, whose structures a peer could define), no structured clone, plain maps as objects,
 * 64-bit integers as numbers while they are safe and as bigints beyond.
 */
const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  // What was decoded may have a key `toJSON`, which is no function.
  useToJSON: false,
  // msgpackr's types leave 'auto' out, its documentation does not.
  int64AsType: 'auto' as 'number',
} as const;

const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** MessagePack in binary frames. */
export const msgpackCodec: Codec = {
  encoding: 'msgpack',
  binary: true,
  encode(message) {
    return packMsgpack(toWireValue(message, WireValueError));
  },
  decode(bytes) {
    // Half a surrogate pair, as a cut-off text may end in, becomes U+FFFD as it does in JSON, rather than costing the connection.
    assertMsgpack(bytes, { utf8: false });
    return unpackMsgpack(bytes);
  },
};

/** @param value as a decoder or {@link toWireValue} makes them: of anything else the library may write memory that is not the value's */
export function packMsgpack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Decodes bytes that {@link assertMsgpack} has passed. @throws ProtocolError `bad_message` */
export function unpackMsgpack(bytes: Uint8Array): unknown {
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    throw new ProtocolError('bad_message', 'not valid MessagePack', { cause });
  }
}
