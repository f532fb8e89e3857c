import { setTimeout as sleep } from 'node:timers/promises';
import type { HubClient } from '../../delivery/hub-client.ts';
import { batchHeadBytes, encodeWithItems, itemsInForm, itemsPerFrame } from '../../fanout/frame.ts';
import { FanoutItem } from '../../fanout/item.ts';
import type { HistoryAnswer, LinkItem } from '../../link/messages.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { addressOf, type FeedName, parseFeedName } from '../../protocol/feed-name.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { assertTimeRange } from '../../protocol/time-range.ts';
import { assertMay } from '../access.ts';
import type { Connection } from '../connection.ts';
import { type Command, type CommandContext, namespaceFor } from './command.ts';
import { ReplayPace } from './replay-pace.ts';

type Question = ClientMessage<'history'>;

export const ITEMS_DEFAULT = 100;
/** A client that got `busy` need not retry earlier. */
const RETRY_AFTER_MS = 1000;
/** In a replay, between two messages to the client. */
const SILENCE_MAX_MS = 5000;

/** One `history` command under way. */
interface Reading {
  readonly connection: Connection;
  readonly context: CommandContext;
  readonly question: Question;
  readonly topic: FeedName;
  epoch: string;
  /** Everything up to here has been sent. */
  after: number;
  itemsLeft: number;
  bytesLeft: number;
  /** For `last`: the end of the topic at the time of the request. For a range of times: its end. */
  upTo: number | undefined;
  /** It is a range of times. */
  readonly byTime: boolean;
  /** Of a range of times: nothing of it that came before this page is missing. */
  complete: boolean;
}

/**
 * `history`: answers in parts. A page is requested when the socket has room, and is sent in frames of the usual size. After each frame the client could
 * continue from there. So an answer takes the memory of one page, however large it is, and other answers are sent between its parts. A connection has one page
 * under way at a time.
 *
 * @throws ProtocolError `bad_topic`, `bad_key`, `key_not_allowed`, `unknown_namespace`, `unauthorized`, `forbidden`, `unsupported`, `hook_failed`, `busy`, `unavailable`
 */
export const history: Command<'history'> = async (connection, question, context) => {
  const topic = parseFeedName(question.topic, question.key);
  assertTimeRange(question);
  const { clientItemsMax } = assertMay(connection.identity, 'history', namespaceFor(context, topic), topic).history;
  const { historiesPerConnectionMax, historyBytesMax } = context.config.tuning.answers;
  if (connection.historiesInFlight >= historiesPerConnectionMax) {
    throw new ProtocolError('busy', `${historiesPerConnectionMax} history requests of this connection wait`, {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
  const wanted = question.since === undefined ? (question.last ?? question.limit) : question.limit;
  const reading: Reading = {
    connection,
    context,
    question,
    topic,
    epoch: question.since?.epoch ?? '',
    after: question.since?.offset ?? 0,
    itemsLeft: Math.min(wanted ?? ITEMS_DEFAULT, clientItemsMax),
    bytesLeft: historyBytesMax,
    upTo: undefined,
    byTime: question.fromMs !== undefined || question.toMs !== undefined,
    complete: true,
  };
  const endReplay = question.speed === undefined ? undefined : context.replays.begin(connection);
  connection.historiesInFlight++;
  try {
    await context.hooks?.assertMayRead(connection, topic, 'history');
    if (question.speed !== undefined) return await replay(reading, new ReplayPace(question.speed));
    let goesOn = true;
    // In turn, page by page, so that a large answer does not delay small ones.
    while (goesOn) goesOn = await connection.receiver.inTurn(() => givePage(reading));
  } finally {
    connection.historiesInFlight--;
    endReplay?.();
  }
};

/** Page by page too, and no answer waits for the pauses between its items. */
async function replay(reading: Reading, pace: ReplayPace): Promise<void> {
  for (;;) {
    const read = await reading.connection.receiver.inTurn(() => readPage(reading));
    if (read === undefined) return;
    await play(reading, read, pace);
    if (read.isLast) return;
  }
}

/** What is due is sent at once. In a long pause the client is told how far it is, so that it knows that it goes on. */
async function play(reading: Reading, { page, isLast }: ReadPage, pace: ReplayPace): Promise<void> {
  const { items } = page;
  const { connection } = reading;
  let offset = reading.question.since?.offset ?? 0;
  for (let at = 0; at < items.length; ) {
    const waitMs = pace.waitMs((items[at] as LinkItem).publishedAtMs, performance.now());
    if (waitMs > 0) await sleep(Math.min(waitMs, SILENCE_MAX_MS));
    if (!connection.isOpen) return;
    const isDue = waitMs <= SILENCE_MAX_MS;
    const some = isDue ? items.slice(at, at + pace.dueCount(items, at, performance.now())) : [];
    at += some.length;
    const ends = at === items.length;
    offset = ends ? page.offset : (some.at(-1)?.offset ?? Math.max(offset, (items[at] as LinkItem).offset - 1));
    await sendPage(reading, { ...page, items: some, offset }, isLast && ends);
  }
  if (items.length === 0) await sendPage(reading, page, isLast);
}

interface ReadPage {
  readonly page: HistoryAnswer;
  /** The answer ends with it. */
  readonly isLast: boolean;
}

/** @returns whether there is more to send */
async function givePage(reading: Reading): Promise<boolean> {
  const read = await readPage(reading);
  if (read === undefined) return false;
  await sendPage(reading, read.page, read.isLast);
  return !read.isLast;
}

/** Undefined: the connection has closed. */
async function readPage(reading: Reading): Promise<ReadPage | undefined> {
  const { connection, context, topic } = reading;
  const { config, delivery } = context;
  await delivery.slowConsumers.whenRoom(connection.receiver);
  if (!connection.isOpen) return undefined;
  // A refreshed token may permit less.
  assertMay(connection.identity, 'history', namespaceFor(context, topic), topic);
  const bytesMax = Math.min(config.tuning.answers.historyPageBytesMax, reading.bytesLeft);
  const page = await pageOf(reading, context.delivery.hub, bytesMax);
  return { page, isLast: take(page, reading) };
}

function pageOf({ question, topic, epoch, after, itemsLeft: limit, upTo, byTime }: Reading, hub: HubClient, bytesMax: number) {
  if (upTo !== undefined) return hub.read({ topic, epoch, after, limit, bytesMax, upTo, ...(byTime && { proven: true }) });
  const { fromMs, since, toMs } = question;
  if (byTime) return hub.readBetween({ topic, fromMs, since, toMs, limit, bytesMax });
  return since === undefined ? hub.readLast({ topic, count: limit, bytesMax }) : hub.read({ topic, epoch, after, limit, bytesMax });
}

/** @returns whether the answer ends with this page */
function take({ epoch, offset, more, complete, items, lastOffset }: HistoryAnswer, reading: Reading): boolean {
  const { byTime } = reading;
  if (reading.epoch === '') reading.epoch = epoch;
  reading.upTo ??= lastOffset;
  reading.complete &&= complete;
  reading.after = offset;
  reading.itemsLeft -= items.length;
  reading.bytesLeft -= items.reduce((sum, { data }) => sum + data.length, 0);
  const ended = reading.upTo !== undefined && offset >= reading.upTo;
  return !more || (!complete && !byTime) || ended || epoch !== reading.epoch || reading.itemsLeft <= 0 || reading.bytesLeft <= 0 || items.length === 0;
}

/** Sends the page in frames of the usual size, as the socket accepts them. The whole answer counts towards the requested limit. */
async function sendPage({ connection, context, question, topic, byTime, ...reading }: Reading, page: HistoryAnswer, isLast: boolean): Promise<void> {
  const { id, since, timestamps = false } = question;
  const { epoch } = page;
  const complete = byTime ? reading.complete : page.complete;
  const { receiver, codec } = connection;
  const { encoding } = codec;
  const { frameBytesMax } = context.config.tuning.fanout;
  const form = { encoding, timestamps };
  const plain = page.items.map((item) => new FanoutItem(item));
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
    const more = continues || ((since !== undefined || byTime) && page.more);
    const reply = { type: 'history', id, ...addressOf(topic), epoch, offset, complete, more, ...(continues && { continues }) };
    receiver.sendEncoded(encodeWithItems(form, reply, part));
  } while (at < items.length);
}
