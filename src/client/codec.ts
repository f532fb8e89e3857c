import { Packr } from 'msgpackr/pack';
import { DEFLATED_EXT_TYPE } from '../protocol/codec.ts';
import { DATA_DEPTH_MAX } from '../protocol/depth.ts';
import type { ClientMessage, ServerMessage } from '../protocol/messages.ts';
import { toWireValue } from '../protocol/wire-value.ts';
import { assertFields } from './check.ts';
import { BadValueError } from './errors.ts';

let packr: Packr | undefined;

/** Made when first used, so that a bundle that imports this for a type alone carries nothing. A Packr unpacks as well. */
function codec(): Packr {
  packr ??= new Packr({
    // No records: msgpackr's own extension, and the one path to its `new Function`, which a page's content policy may forbid.
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    // What toWireValue has passed may have a key `toJSON`, which is no function.
    useToJSON: false,
    // msgpackr's types leave 'auto' out, its documentation does not: numbers while they are safe integers, bigints beyond.
    int64AsType: 'auto' as 'number',
  });
  return packr;
}

type Loose<M> = { [K in keyof M]: object extends Pick<M, K> ? M[K] | undefined : M[K] };
/** A message whose optional fields may be undefined: such a field is left out. */
export type Outgoing = ClientMessage extends infer M ? (M extends ClientMessage ? Loose<M> : never) : never;

/** `data` may nest so deeply, and the message is a level around it. No message has more values than the largest that any server takes has bytes. */
const BOUNDS = { depthMax: DATA_DEPTH_MAX + 1, valuesMax: 1_048_576 };

/** @throws BadValueError, InvalidError for what the server would not take */
export function encodeMessage(message: Outgoing): Uint8Array {
  assertFields(message);
  return codec().pack(toWireValue(message, BadValueError, BOUNDS));
}

/** @throws Error when the bytes are no MessagePack map */
export function decodeMessage(frame: Uint8Array): ServerMessage {
  const message = codec().unpack(frame);
  if (typeof message !== 'object' || message === null || typeof message.type !== 'string') throw new Error('a frame is no message');
  return message;
}

/** The deflated bytes, when the frame is one MessagePack ext (type 90) holding such. */
export function deflatedPart(frame: Uint8Array): Uint8Array | undefined {
  // ext 8, 16, 32: head byte, length, type.
  const head = frame[0] as number;
  if (head < 0xc7 || head > 0xc9) return undefined;
  const start = 2 + (1 << (head - 0xc7));
  return frame[start - 1] === DEFLATED_EXT_TYPE ? frame.subarray(start) : undefined;
}
