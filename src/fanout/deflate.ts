import { constants, deflateRawSync } from 'node:zlib';
import { DEFLATED_EXT_TYPE, DEFLATED_HEAD } from '../protocol/codec.ts';

/** Smaller frames are not deflated: it would save less than the overhead of a TCP packet. */
export const DEFLATE_MIN_BYTES = 512;

/**
 * A MessagePack frame deflated, as one ext (type 90). Created once for all members of a shard, unlike `permessage-deflate`, which costs 5–12 µs per delivery.
 * Returns the frame unchanged if the result is not smaller.
 */
export function deflateFrame(frame: Uint8Array): Uint8Array {
  if (frame.length < DEFLATE_MIN_BYTES) return frame;
  const deflated = deflateRawSync(frame, { level: constants.Z_BEST_SPEED });
  const headBytes = 6;
  if (deflated.length + headBytes >= frame.length) return frame;
  const ext = Buffer.allocUnsafe(headBytes + deflated.length);
  ext[0] = DEFLATED_HEAD;
  ext.writeUInt32BE(deflated.length, 1);
  ext[5] = DEFLATED_EXT_TYPE;
  ext.set(deflated, headBytes);
  return ext;
}
