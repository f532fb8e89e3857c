import type { Codec, Encoding } from './codec.ts';
import { jsonCodec } from './json-codec.ts';
import { msgpackCodec } from './msgpack-codec.ts';

/** The server's codec of each encoding. */
export const CODECS: Readonly<Record<Encoding, Codec>> = { msgpack: msgpackCodec, json: jsonCodec };
