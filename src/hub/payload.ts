import type { PayloadKind } from '../config/schema.ts';
import { parseJson, stringifyJson } from '../protocol/json-codec.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { assertMsgpack } from '../protocol/msgpack-scan.ts';

/** A producer's payload as workers splice it into frames, or why it cannot be. */
export type PayloadResult =
  | { readonly kind: 'value'; readonly data: Uint8Array; readonly empty: boolean }
  | { readonly kind: 'malformed'; readonly reason: string };

const NIL = Uint8Array.of(0xc0);
const JSON_NULL = Buffer.from('null');

/**
 * Turns what came over the bus into one MessagePack value: JSON is transcoded, MessagePack checked and taken as it stands, bytes wrapped as `bin`.
 * `empty` is true for no bytes at all, JSON `null` and MessagePack nil: in a keyed topic these remove the key.
 */
export function payloadToMsgpack(payload: Uint8Array, kind: PayloadKind): PayloadResult {
  if (payload.length === 0) return { kind: 'value', data: NIL, empty: true };
  try {
    switch (kind) {
      case 'json':
        if (payload.length === 4 && JSON_NULL.equals(payload)) return { kind: 'value', data: NIL, empty: true };
        return { kind: 'value', data: packMsgpack(parseJson(payload)), empty: false };
      case 'msgpack':
        assertMsgpack(payload);
        // A copy: what came may be a view of a whole socket read, and a topic's state is kept for long.
        return { kind: 'value', data: Buffer.from(payload), empty: payload.length === 1 && payload[0] === 0xc0 };
      case 'bytes':
        return { kind: 'value', data: packMsgpack(payload), empty: false };
    }
  } catch (error) {
    return { kind: 'malformed', reason: (error as Error).message };
  }
}

/**
 * What a client published (one MessagePack value) as the namespace's producers write it.
 * @returns undefined when the value does not fit: a `bytes` namespace takes `bin`, or base64 text from JSON clients
 */
export function msgpackToPayload(data: Uint8Array, kind: PayloadKind): Uint8Array | undefined {
  if (kind === 'msgpack') return data;
  const value = unpackMsgpack(data);
  if (kind === 'json') return Buffer.from(stringifyJson(value));
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string' && BASE64.test(value)) return Buffer.from(value, 'base64');
  return undefined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
