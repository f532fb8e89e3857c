import type { Encoding } from '../protocol/codec.ts';
import { keyOf, topicOf } from '../protocol/feed-name.ts';
import { stringifyJson } from '../protocol/json-writer.ts';
import { type KeptBytes, putBytes, toBuffer } from '../protocol/kept-bytes.ts';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { MsgpackWriter } from './msgpack-writer.ts';

/** An already encoded entry of a batch's `items`. */
export interface EncodedItem {
  readonly offset: number;
  encoded(encoding: Encoding): KeptBytes;
  /** The same with `meta.publishedAtMs`; the entry itself if it has no time. */
  timed(): EncodedItem;
}

/** The form of items for a receiver. */
export interface WireForm {
  readonly encoding: Encoding;
  /** With the time at which the log stored each item. */
  readonly timestamps: boolean;
  /** Its receivers put large batches together from numbered parts. */
  readonly parts?: true;
}

/** The items in this form. */
export function itemsInForm(items: readonly EncodedItem[], { timestamps }: Pick<WireForm, 'timestamps'>): readonly EncodedItem[] {
  return timestamps ? items.map((item) => item.timed()) : items;
}

/** The fields of a `batch` message besides its items. */
export interface BatchHead {
  /** The name of its feed. */
  readonly topic: string;
  readonly epoch: string;
  /** The topic's offset just before the range of the batch. */
  readonly prev: number;
  readonly sentAtMs: number;
  /** Publications of the range that were left out in favour of a later one of the same key. 0 is not written. */
  readonly conflated: number;
  /** The position of its receivers stays: another batch follows. Only true is written. */
  readonly continues?: boolean | undefined;
}

const writer = new MsgpackWriter(32 * 1024);

/** One `batch` message, assembled from already encoded items. The bytes belong to the caller. */
export function encodeBatch(encoding: Encoding, head: BatchHead, items: readonly EncodedItem[]): Uint8Array {
  return encoding === 'msgpack' ? msgpackBatch(head, items) : jsonBatch(head, items);
}

function msgpackBatch(head: BatchHead, items: readonly EncodedItem[]): Uint8Array {
  writer.reset();
  const key = keyOf(head.topic);
  writer.mapHeader(6 + (head.conflated > 0 ? 1 : 0) + (key === undefined ? 0 : 1) + (head.continues ? 1 : 0));
  writer.text('type');
  writer.text('batch');
  writer.text('topic');
  writer.text(topicOf(head.topic));
  if (key !== undefined) {
    writer.text('key');
    writer.text(key);
  }
  writer.text('epoch');
  writer.text(head.epoch);
  writer.text('prev');
  writer.uint(head.prev);
  writer.text('sentAtMs');
  writer.float(head.sentAtMs);
  if (head.conflated > 0) {
    writer.text('conflated');
    writer.uint(head.conflated);
  }
  if (head.continues) {
    writer.text('continues');
    writer.bool(true);
  }
  writer.text('items');
  writer.arrayHeader(items.length);
  for (const item of items) writer.raw(item.encoded('msgpack'));
  return writer.copy();
}

const CLOSING = Buffer.from(']}');
const COMMA = 0x2c;

function jsonBatch(head: BatchHead, items: readonly EncodedItem[]): Uint8Array {
  const key = keyOf(head.topic);
  const ofKey = key === undefined ? '' : `"key":${JSON.stringify(key)},`;
  // Topics, and epochs (base64url), need no escaping.
  const conflated = head.conflated > 0 ? `"conflated":${head.conflated},` : '';
  const continues = head.continues ? '"continues":true,' : '';
  const start = Buffer.from(
    `{"type":"batch","topic":"${topicOf(head.topic)}",${ofKey}"epoch":"${head.epoch}","prev":${head.prev},"sentAtMs":${head.sentAtMs},${conflated}${continues}"items":[`,
  );
  let length = start.length + CLOSING.length + Math.max(0, items.length - 1);
  for (const item of items) length += item.encoded('json').length;
  const frame = Buffer.allocUnsafe(length);
  frame.set(start);
  let at = start.length;
  for (const [index, item] of items.entries()) {
    if (index > 0) frame[at++] = COMMA;
    const encoded = item.encoded('json');
    putBytes(encoded, frame, at);
    at += encoded.length;
  }
  frame.set(CLOSING, at);
  return frame;
}

/** How many of `items`, from `start`, fit into one frame of `bytesMax`; at least one, because an item larger than a frame is sent alone. */
export function itemsPerFrame(
  encoding: Encoding,
  items: readonly EncodedItem[],
  start: number,
  headBytes: number,
  bytesMax: number,
): number {
  let bytes = headBytes;
  let count = 0;
  for (let i = start; i < items.length; i++) {
    bytes += (items[i] as EncodedItem).encoded(encoding).length + 1;
    if (count > 0 && bytes > bytesMax) break;
    count++;
  }
  return count;
}

/** JSON's punctuation and names (115), two safe integers (16 each) and a number of milliseconds (24 at most). */
const HEAD_BYTES = 176;
/** The name and punctuation of `key`. */
const KEY_FIELD_BYTES = 10;

/** An upper bound for what {@link encodeBatch} writes besides the items. */
export function batchHeadBytes(head: { readonly topic: string; readonly epoch: string }): number {
  const key = keyOf(head.topic);
  // A character is at most three bytes, or two with its escape.
  return HEAD_BYTES + head.topic.length + head.epoch.length + (key === undefined ? 0 : KEY_FIELD_BYTES + 2 * key.length);
}

/** Any message that ends in `items`, with the already encoded items inserted. `message` must not have `items` itself. */
export function encodeWithItems(
  form: WireForm,
  message: Readonly<Record<string, unknown>>,
  plainItems: readonly EncodedItem[],
): Uint8Array {
  const { encoding } = form;
  const items = itemsInForm(plainItems, form);
  if (encoding === 'json') {
    const head = stringifyJson(message).slice(0, -1);
    return Buffer.from(`${head},"items":[${items.map((item) => toBuffer(item.encoded('json')).toString()).join(',')}]}`);
  }
  const names = Object.keys(message);
  let fields = 1;
  for (const name of names) if (message[name] !== undefined) fields++;
  writer.reset();
  writer.mapHeader(fields);
  for (const name of names) {
    const value = message[name];
    if (value === undefined) continue;
    writer.text(name);
    writeValue(value);
  }
  writer.text('items');
  writer.arrayHeader(items.length);
  for (const item of items) writer.raw(item.encoded('msgpack'));
  return writer.copy();
}

/** Most fields of a message are texts, numbers and booleans: for these the library's buffer of its own, and a copy, would cost more than the value. */
function writeValue(value: unknown): void {
  if (typeof value === 'string') writer.text(value);
  else if (typeof value === 'boolean') writer.bool(value);
  else if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) writer.uint(value);
  else writer.raw(packMsgpack(value));
}
