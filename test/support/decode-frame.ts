import { inflateRawSync } from 'node:zlib';
import { Unpackr } from 'msgpackr';
import { DEFLATED_EXT_TYPE } from '../../src/protocol/codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' });
const EXT_32 = 0xc9;
const EXT_32_HEAD_BYTES = 6;

/** One of the server's frames, of either encoding, deflated or not. @throws Error where it is none */
export function decodeFrame(data: Buffer, isBinary: boolean): ServerMessage {
  if (!isBinary) return JSON.parse(data.toString());
  return unpackr.unpack(isDeflated(data) ? inflateRawSync(data.subarray(EXT_32_HEAD_BYTES)) : data);
}

/** The same for a frame that may be an array of messages. */
export function decodeMessages(data: Buffer, isBinary: boolean): ServerMessage[] {
  const value: ServerMessage | ServerMessage[] = decodeFrame(data, isBinary);
  return Array.isArray(value) ? value : [value];
}

export function isDeflated(data: Buffer): boolean {
  if (data[0] !== EXT_32) return false;
  if (data[5] !== DEFLATED_EXT_TYPE || data.readUInt32BE(1) !== data.length - EXT_32_HEAD_BYTES) {
    throw new Error('an ext that is no deflated frame');
  }
  return true;
}
