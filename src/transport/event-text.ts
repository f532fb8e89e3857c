import { reconnectAdvice } from '../protocol/close-codes.ts';

/** A comment: a stream without events still shows that it is alive. */
export const HEARTBEAT = Buffer.from(':\n\n');

const DATA = '\ndata: ';
const END = '\n\n';
/** Every message begins like this: its type is first. */
const TYPE = Buffer.from('{"type":"');
const QUOTE = 0x22;
const TYPE_CHARS_MAX = 32;

/** When a page comes back after a cut: not all in one moment. */
const RETRY_MS = { min: 1000, max: 3000 };
/** After a close that means "do not reconnect": a browser comes back whatever it is told, unless its page closes the stream. */
const RETRY_NEVER_MS = 3_600_000;
const RETRY_BACKOFF_MS = { min: 5000, max: 15_000 };
const RETRY_NOW_MS = { min: 0, max: 5000 };

/** The type of a JSON message; `message` if it has none. */
export function typeOf(frame: Uint8Array): string {
  for (let i = 0; i < TYPE.length; i++) if (frame[i] !== TYPE[i]) return 'message';
  const end = frame.indexOf(QUOTE, TYPE.length);
  if (end < 0 || end > TYPE.length + TYPE_CHARS_MAX) return 'message';
  return Buffer.from(frame.buffer, frame.byteOffset + TYPE.length, end - TYPE.length).toString('latin1');
}

const texts = new WeakMap<Uint8Array, Buffer>();

/** A message as an event, without an id. The same bytes for all streams: a frame that many get is written once. */
export function eventOf(frame: Uint8Array): Buffer {
  const known = texts.get(frame);
  if (known !== undefined) return known;
  const head = `event: ${typeOf(frame)}${DATA}`;
  const event = Buffer.allocUnsafe(head.length + frame.length + END.length);
  event.write(head, 0, 'latin1');
  event.set(frame, head.length);
  event.write(END, head.length + frame.length, 'latin1');
  texts.set(frame, event);
  return event;
}

/** The beginning of a stream. */
export function beginText(): string {
  return `retry: ${between(RETRY_MS)}${END}`;
}

/** The end of a stream, with its close code. */
export function closedText(code: number, reason: string): string {
  const advice = { never: RETRY_NEVER_MS, 'after backoff': between(RETRY_BACKOFF_MS), now: between(RETRY_NOW_MS) }[reconnectAdvice(code)];
  return `retry: ${advice}\nevent: closed${DATA}${JSON.stringify({ type: 'closed', code, reason, retryMs: advice })}${END}`;
}

function between({ min, max }: { readonly min: number; readonly max: number }): number {
  return Math.round(min + Math.random() * (max - min));
}
