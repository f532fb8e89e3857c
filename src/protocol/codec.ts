/** The two encodings of the protocol. */
export type Encoding = 'msgpack' | 'json';

export const SUBPROTOCOLS: Record<Encoding, string> = {
  msgpack: 'stentor.v1.msgpack',
  json: 'stentor.v1.json',
};

/** MessagePack extension type of a deflated frame (`compression: "deflate-raw"`). */
export const DEFLATED_EXT_TYPE = 90;
/** The first byte of a deflated frame: an ext with a length of 32 bits. No message begins so. */
export const DEFLATED_HEAD = 0xc9;

/**
 * Encodes and decodes whole messages. Decoding is safe for untrusted input: for any bytes, `decode` returns a plain value or throws a ProtocolError
 * `bad_message`, and allocates in proportion to the input, never to a declared length.
 */
export interface Codec {
  readonly encoding: Encoding;
  /** Whether a frame of this encoding is binary (MessagePack) or text (JSON). */
  readonly binary: boolean;
  /** @throws WireValueError for a value that cannot be sent */
  encode(message: unknown): Uint8Array;
  /** @throws ProtocolError `bad_message` */
  decode(bytes: Uint8Array): unknown;
}
