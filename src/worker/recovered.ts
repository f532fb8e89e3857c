import { buildFrame } from '../fanout/batch.ts';
import { batchHeadBytes, encodeWithItems, itemsPerFrame } from '../fanout/frame.ts';
import type { FanoutItem } from '../fanout/item.ts';
import type { Connection, Member } from './connection.ts';

/** Of the first frame; each is twice as large as the one before. A line that breaks after 2 KB, again and again, still brings something each time. */
const FIRST_FRAME_BYTES = 1024;

/** `subscribed`, but for its items. `offset` is the last one's, or the position where there are none. */
export interface SubscribedReply extends Readonly<Record<string, unknown>> {
  readonly offset: number;
}

/**
 * Gives a client what it has missed: a little with `subscribed`, the rest in batches behind it. In one message none of it would count until all of it
 * has come, and a line that breaks again and again would never get on: what it misses grows, and with it the message.
 *
 * In small frames while the socket takes them at once; what is left then goes in one, since uWS drops what is sent to a socket that holds much already.
 */
export function sendRecovered(
  connection: Connection,
  { feed, options }: Member,
  reply: SubscribedReply,
  items: readonly FanoutItem[],
  frameBytesMax: number,
): void {
  const { encoding } = connection.codec;
  const headBytes = batchHeadBytes(feed);
  const form = { encoding, deflate: options.variant.deflate };
  // What covers more than its items reach must say so, which only a whole answer can.
  const isChain = items.at(-1)?.offset === reply.offset;
  let bytesMax = Math.min(FIRST_FRAME_BYTES, frameBytesMax);
  let at = isChain ? itemsPerFrame(encoding, items, 0, headBytes, bytesMax) : items.length;
  if (at === items.length) return connection.sendEncoded(encodeWithItems(encoding, reply, items));
  let part = items.slice(0, at);
  let prev = offsetOfLast(part);
  connection.sendEncoded(encodeWithItems(encoding, { ...reply, offset: prev, upTo: reply.offset }, part));
  while (at < items.length) {
    bytesMax = Math.min(2 * bytesMax, frameBytesMax);
    const isTaken = connection.socket?.getBufferedAmount() === 0;
    part = items.slice(at, isTaken ? at + itemsPerFrame(encoding, items, at, headBytes, bytesMax) : items.length);
    connection.sendEncoded(buildFrame(feed, form, { items: part, prev, conflated: 0 }, Date.now()));
    at += part.length;
    prev = offsetOfLast(part);
  }
}

function offsetOfLast(items: readonly FanoutItem[]): number {
  return (items.at(-1) as FanoutItem).offset;
}
