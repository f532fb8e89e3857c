import type { NamespaceOptions, PayloadKind } from '../config/schema.ts';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import { parseJson } from '../protocol/json-codec.ts';
import { stringifyJson } from '../protocol/json-writer.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import { assertMsgpack } from '../protocol/msgpack-scan.ts';
import { quoteInexactNumbers } from './json-numbers.ts';

/** A producer's payload as workers insert it into frames, or why it is invalid. */
export type PayloadResult =
  /** `data` is a view of the payload, which may be one of a whole socket read, or of the packer's buffer. Whoever keeps it copies it. */
  { readonly kind: 'value'; readonly data: Uint8Array; readonly empty: boolean } | { readonly kind: 'malformed'; readonly reason: string };

const NIL = Uint8Array.of(0xc0);

/**
 * Converts a payload from the bus into one MessagePack value: JSON is transcoded, MessagePack is validated and used unchanged, bytes are wrapped as `bin`.
 * With `numbers: text`, numbers of JSON that a double would change become text.
 * `empty` is true for no bytes at all, JSON `null` and MessagePack nil: in a keyed topic these remove the key.
 */
export function payloadToMsgpack(payload: Uint8Array, kind: PayloadKind, numbers: NamespaceOptions['numbers'] = 'double'): PayloadResult {
  if (payload.length === 0) return { kind: 'value', data: NIL, empty: true };
  try {
    switch (kind) {
      case 'json': {
        const value = parseJson(numbers === 'text' ? quoteInexactNumbers(payload) : payload, DATA_DEPTH_MAX);
        return value === null ? { kind: 'value', data: NIL, empty: true } : { kind: 'value', data: packMsgpack(value), empty: false };
      }
      case 'msgpack':
        assertMsgpack(payload, { depthMax: DATA_DEPTH_MAX });
        return { kind: 'value', data: payload, empty: payload.length === 1 && payload[0] === 0xc0 };
      case 'bytes':
        return { kind: 'value', data: packMsgpack(payload), empty: false };
    }
  } catch (error) {
    return { kind: 'malformed', reason: (error as Error).message };
  }
}

/** Whether the root of one MessagePack value is a map. */
export function isMsgpackMap([head = 0]: Uint8Array): boolean {
  return (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf;
}

/**
 * Converts what a client published (one MessagePack value) to the payload format of the namespace. In JSON a 64-bit integer is written as a number with all its
 * digits, so that members get the same as from a producer.
 *
 * @returns undefined if the value does not match: a `bytes` namespace accepts `bin`, or base64 text from JSON clients; others accept at most {@link
 * DATA_DEPTH_MAX} levels of nesting
 */
export function msgpackToPayload(data: Uint8Array, kind: PayloadKind): Uint8Array | undefined {
  if (kind !== 'bytes' && !isShallow(data)) return undefined;
  if (kind === 'msgpack') return data;
  const value = unpackMsgpack(data);
  if (kind === 'json') return Buffer.from(stringifyJson(value, 'digits'));
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string' && BASE64.test(value)) return Buffer.from(value, 'base64');
  return undefined;
}

function isShallow(data: Uint8Array): boolean {
  try {
    assertMsgpack(data, { depthMax: DATA_DEPTH_MAX });
    return true;
  } catch {
    return false;
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
