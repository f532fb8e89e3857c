import { DEFLATED_HEAD, type Encoding } from '../protocol/codec.ts';

/** An encoded message, and the id of its event in a stream of events. */
export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly eventId: string | undefined;
}

/** What each message of an array adds at most, its comma, and the array itself: brackets, or the head. */
export const JOINED_BYTES = 1;
export const ARRAY_BYTES = 3;

const [OPENING, COMMA, CLOSING] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')];

/** Larger ones gain nothing from an array, and numbered parts, of a frame's size, must not make one that is larger than a frame. */
const ALONE_SHARE = 0.5;

/** The messages in order, those that follow one another as an array. One that is larger than half a frame, or deflated, stays alone. */
export function inArrays(messages: readonly Outgoing[], encoding: Encoding, frameBytesMax: number): Outgoing[] {
  const all: Outgoing[] = [];
  let run: Outgoing[] = [];
  const endRun = () => {
    if (run.length > 1) all.push({ bytes: join(run, encoding), eventId: undefined });
    else all.push(...run);
    run = [];
  };
  for (const message of messages) {
    if (message.bytes.length <= frameBytesMax * ALONE_SHARE && message.bytes[0] !== DEFLATED_HEAD) {
      run.push(message);
      continue;
    }
    endRun();
    all.push(message);
  }
  endRun();
  return all;
}

function join(messages: readonly Outgoing[], encoding: Encoding): Uint8Array {
  if (encoding === 'msgpack')
    return Buffer.concat([Buffer.from([0xdc, messages.length >> 8, messages.length & 255]), ...messages.map(({ bytes }) => bytes)]);
  const parts = messages.flatMap(({ bytes }, at) => [at === 0 ? OPENING : COMMA, bytes]);
  return Buffer.concat([...parts, CLOSING]);
}
