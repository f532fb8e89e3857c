import type { Codec, Encoding } from './codec.ts';
import { jsonCodec } from './json-codec.ts';
import { stringifyJson } from './json-writer.ts';
import type { ServerMessage } from './messages.ts';
import { msgpackCodec, packMsgpack } from './msgpack-codec.ts';

/** The server's codec of each encoding. */
export const CODECS: Readonly<Record<Encoding, Codec>> = { msgpack: msgpackCodec, json: jsonCodec };

/**
 * A message that the server has made of plain objects, numbers and well-formed texts, without undefined fields. It is not copied and checked first, which takes
 * longer than encoding it.
 */
export function encodePlain(encoding: Encoding, message: ServerMessage): Uint8Array {
  return encoding === 'msgpack' ? packMsgpack(message) : Buffer.from(stringifyJson(message));
}
