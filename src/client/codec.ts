import { Packr } from 'msgpackr/pack';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import type { ClientMessage, ServerMessage } from '../protocol/messages.ts';
import { toWireValue } from '../protocol/wire-value.ts';
import { assertFields } from './check.ts';
import { BadValueError } from './errors.ts';

let packr: Packr | undefined;

/** Created on first use, so that a bundle that imports only types from here contains none of it. A Packr also unpacks. */
function codec(): Packr {
  packr ??= new Packr({
    // No records: they are msgpackr's own extension, and the only code path to its `new Function`, which a page's content policy may forbid.
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    // After toWireValue, a value may have a key `toJSON`, but it is not a function.
    useToJSON: false,
    // 'auto' is documented, but missing in msgpackr's types: numbers for safe integers, bigints beyond.
    int64AsType: 'auto' as 'number',
  });
  return packr;
}

type Unchanged<T> = T extends readonly (infer E)[]
  ? readonly Unchanged<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Unchanged<T[K]> }
    : T;
type Loose<M> = { [K in keyof M]: object extends Pick<M, K> ? Unchanged<M[K]> | undefined : M[K] };
/** A message whose optional fields may be undefined; these are left out. */
export type Outgoing = ClientMessage extends infer M ? (M extends ClientMessage ? Loose<M> : never) : never;

/** Nesting limit of `data`, plus one level for the message. A message cannot have more values than the largest message that any server accepts has bytes. */
const DEPTH_MAX = DATA_DEPTH_MAX + 1;
const VALUES_MAX = 1_048_576;

/** @throws BadValueError, InvalidError for what the server would not accept */
export function encodeMessage(message: Outgoing): Uint8Array {
  assertFields(message);
  return codec().pack(toWireValue(message, BadValueError, DEPTH_MAX, VALUES_MAX));
}

/** A message, or those of an array. @throws Error if the frame is neither */
export function decodeMessages<M = ServerMessage>(frame: Uint8Array): M[] {
  const value = codec().unpack(frame);
  const messages = Array.isArray(value) ? value : [value];
  if (!messages.every((message) => typeof message?.type === 'string')) throw new Error('a frame is no message');
  return messages;
}

/** Without a check. */
export function encodeAny(value: unknown): Uint8Array {
  return codec().pack(value);
}
