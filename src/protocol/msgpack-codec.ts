import { Packr, Unpackr } from 'msgpackr';
import type { Codec } from './codec.ts';
import { ProtocolError } from './errors.ts';
import { assertMsgpack } from './msgpack-scan.ts';

/**
 * No records (msgpackr's own extension, whose structures a peer could define), no structured clone, plain maps as objects,
 * 64-bit integers as numbers while they are safe and as bigints beyond.
 */
const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  // msgpackr's types leave 'auto' out, its documentation does not.
  int64AsType: 'auto' as 'number',
} as const;

const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** MessagePack in binary frames. */
export const msgpackCodec: Codec = {
  encoding: 'msgpack',
  binary: true,
  encode: packMsgpack,
  decode(bytes) {
    // Half a surrogate pair, as a cut-off text may end in, becomes U+FFFD as it does in JSON, rather than costing the connection.
    assertMsgpack(bytes, { utf8: false });
    return unpackMsgpack(bytes);
  },
};

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
