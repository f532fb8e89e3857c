import type { HubClient } from '../../delivery/hub-client.ts';
import { batchHeadBytes, encodeWithItems, itemsInForm, itemsPerFrame } from '../../fanout/frame.ts';
import { FanoutItem } from '../../fanout/item.ts';
import type { Selection } from '../../fanout/selection.ts';
import type { HistoryAnswer } from '../../link/answers.ts';
import { addressOf, type FeedName } from '../../protocol/feed-name.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { isByTime } from '../../protocol/time-range.ts';
import { assertMay } from '../access.ts';
import type { Connection } from '../connection.ts';
import { type CommandContext, namespaceFor } from './command.ts';

type Question = ClientMessage<'history'>;

const ITEMS_DEFAULT = 100;

/** One `history` command under way. */
export interface Reading {
  readonly connection: Connection;
  readonly context: CommandContext;
  readonly question: Question;
  readonly topic: FeedName;
  /** Undefined: everything. */
  readonly selection: Selection | undefined;
  epoch: string;
  /** Everything up to here has been sent. */
  after: number;
  itemsLeft: number;
  bytesLeft: number;
  /** For `last`: the end of the topic at the time of the request. For a range of times: its end. */
  upTo: number | undefined;
  /** Nothing of what has been read is missing. Only a range of times goes on where something is. */
  complete: boolean;
  /** After what has been read there is a document, for sure. */
  hasDocument: boolean;
}

export interface ReadPage {
  readonly page: Omit<HistoryAnswer, 'items'>;
  /** What is selected of it. */
  readonly items: readonly FanoutItem[];
  /** The answer ends with it. */
  readonly isLast: boolean;
}

/** How many publications the whole answer may cover. What is not selected counts, too: it is read. */
export function itemsMaxOf({ since, last, limit }: Question, clientItemsMax: number): number {
  const wanted = since === undefined ? (last ?? limit) : limit;
  return Math.min(wanted ?? ITEMS_DEFAULT, clientItemsMax);
}

/** A page from where the question begins. @throws ProtocolError `busy` and the errors of the hub */
export function pageFrom(
  hub: HubClient,
  question: Question,
  bounds: { readonly topic: FeedName; readonly limit: number; readonly bytesMax: number },
): Promise<HistoryAnswer> {
  const { fromMs, since, toMs } = question;
  if (isByTime(question)) return hub.readBetween({ ...bounds, fromMs, since, toMs });
  if (since !== undefined) return hub.read({ ...bounds, epoch: since.epoch, after: since.offset });
  const { topic, limit: count, bytesMax } = bounds;
  return hub.readLast({ topic, count, bytesMax });
}

/** A refreshed token may permit less. @throws ProtocolError */
export function assertStillMay({ connection, context, topic }: Reading): void {
  assertMay(connection.identity, 'history', namespaceFor(context, topic), topic);
}

/** Undefined: the connection has closed. */
export async function readPage(reading: Reading): Promise<ReadPage | undefined> {
  const { connection, context } = reading;
  const { config, delivery } = context;
  await delivery.slowConsumers.whenRoom(connection.receiver);
  if (!connection.isOpen) return undefined;
  assertStillMay(reading);
  const bytesMax = Math.min(config.tuning.answers.historyPageBytesMax, reading.bytesLeft);
  const answer = await pageOf(reading, context.delivery.hub, bytesMax);
  // A replay keeps what it returns: not also what the items were made of.
  const { items, ...page } = answer;
  return { page, items: selected(items, reading), isLast: take(answer, reading) };
}

function selected(items: HistoryAnswer['items'], reading: Reading): readonly FanoutItem[] {
  const all = items.map((item) => new FanoutItem(item));
  const { selection, hasDocument } = reading;
  reading.hasDocument = all.at(-1)?.removed === false || (all.length === 0 && hasDocument);
  return selection === undefined ? all : selection.select(all, hasDocument);
}

function pageOf({ question, topic, epoch, after, itemsLeft: limit, upTo }: Reading, hub: HubClient, bytesMax: number) {
  if (upTo !== undefined) return hub.read({ topic, epoch, after, limit, bytesMax, upTo, ...(isByTime(question) && { proven: true }) });
  const goingOn = question.since === undefined ? question : { ...question, since: { epoch, offset: after } };
  return pageFrom(hub, goingOn, { topic, limit, bytesMax });
}

/** @returns whether the answer ends with this page */
function take({ epoch, offset, more, complete, items, lastOffset }: HistoryAnswer, reading: Reading): boolean {
  if (reading.epoch === '') reading.epoch = epoch;
  reading.upTo ??= lastOffset;
  reading.complete &&= complete;
  reading.after = offset;
  reading.itemsLeft -= items.length;
  reading.bytesLeft -= items.reduce((sum, { data }) => sum + data.length, 0);
  const ended = reading.upTo !== undefined && offset >= reading.upTo;
  return (
    !more ||
    (!complete && !isByTime(reading.question)) ||
    ended ||
    epoch !== reading.epoch ||
    reading.itemsLeft <= 0 ||
    reading.bytesLeft <= 0 ||
    items.length === 0
  );
}

/** Sends the page in frames of the usual size, as the socket accepts them. The whole answer counts towards the requested limit. */
export async function sendPage(
  { connection, context, question, topic, complete }: Reading,
  { page, items: plain, isLast }: ReadPage,
): Promise<void> {
  const { id, since, timestamps = false } = question;
  const { epoch } = page;
  const { receiver, codec } = connection;
  const { encoding } = codec;
  const { frameBytesMax } = context.config.tuning.fanout;
  const form = { encoding, timestamps };
  const items = itemsInForm(plain, form);
  const headBytes = batchHeadBytes({ topic, epoch });
  let at = 0;
  do {
    await context.delivery.slowConsumers.whenTurn(receiver, frameBytesMax);
    if (!connection.isOpen) return;
    const count = itemsPerFrame(encoding, items, at, headBytes, frameBytesMax);
    const part = items.slice(at, at + count);
    at += count;
    const ends = at >= items.length;
    const offset = ends ? page.offset : (part.at(-1)?.offset ?? page.offset);
    const continues = !ends || !isLast;
    // After the last publications there are no more.
    const more = continues || ((since !== undefined || isByTime(question)) && page.more);
    const reply = { type: 'history', id, ...addressOf(topic), epoch, offset, complete, more, ...(continues && { continues }) };
    receiver.sendEncoded(encodeWithItems(form, reply, part));
  } while (at < items.length);
}
