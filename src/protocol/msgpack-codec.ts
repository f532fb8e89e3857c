import { Packr, Unpackr } from 'msgpackr';
import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { assertMsgpack } from './msgpack-scan.ts';
import { toWireValue, WireValueError } from './wire-value.ts';

/**
 * No records (an extension of msgpackr, whose structures a peer could define), no structured clone, maps as plain objects, 64-bit integers as numbers if they
 * are safe and as bigints otherwise.
 */
const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  // A decoded value may have a key `toJSON`, but it is not a function.
  useToJSON: false,
  // 'auto' is documented, but missing in msgpackr's types.
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
    // Half a surrogate pair, as at the end of a truncated text, becomes U+FFFD as in JSON, instead of ending the connection.
    assertMsgpack(bytes, { utf8: false });
    return unpackMsgpack(bytes);
  },
};

/** @param value from a decoder or {@link toWireValue}. For anything else the library may write memory that is not part of the value. */
export function packMsgpack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Decodes bytes that {@link assertMsgpack} has accepted. @throws ProtocolError `bad_message` */
export function unpackMsgpack(bytes: Uint8Array): unknown {
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    throw new ProtocolError('bad_message', 'not valid MessagePack', { cause });
  }
}
