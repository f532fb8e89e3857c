import { selectionOf } from '../../delivery/membership-options.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { parseFeedName } from '../../protocol/feed-name.ts';
import { assertTimeRange } from '../../protocol/time-range.ts';
import { assertMay } from '../access.ts';
import { assertSelection, selectionIn } from '../selection.ts';
import { type Command, namespaceFor } from './command.ts';
import { itemsMaxOf, type Reading, readPage, sendPage } from './history-pages.ts';
import { replay } from './replay.ts';

/** A client that got `busy` need not retry earlier. */
const RETRY_AFTER_MS = 1000;

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
  const namespace = assertMay(connection.identity, 'history', namespaceFor(context, topic), topic);
  assertSelection(topic, namespace, question);
  const { clientItemsMax } = namespace.history;
  const { historiesPerConnectionMax, historyBytesMax } = context.config.tuning.answers;
  if (connection.historiesInFlight >= historiesPerConnectionMax) {
    throw new ProtocolError('busy', `${historiesPerConnectionMax} history requests of this connection wait`, {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
  const reading: Reading = {
    connection,
    context,
    question,
    topic,
    selection: selectionOf(question),
    epoch: question.since?.epoch ?? '',
    after: question.since?.offset ?? 0,
    itemsLeft: itemsMaxOf(question, clientItemsMax),
    bytesLeft: historyBytesMax,
    upTo: undefined,
    complete: true,
    hasDocument: false,
  };
  const endReplay = question.speed === undefined ? undefined : context.replays.begin(connection);
  connection.historiesInFlight++;
  try {
    await context.hooks?.assertMayRead(connection, topic, 'history', selectionIn(question));
    if (question.speed !== undefined) return await replay(reading, question.speed);
    let goesOn = true;
    // In turn, page by page, so that a large answer does not delay small ones.
    while (goesOn) goesOn = await connection.receiver.inTurn(() => givePage(reading));
  } finally {
    connection.historiesInFlight--;
    endReplay?.();
  }
};

/** @returns whether there is more to send */
async function givePage(reading: Reading): Promise<boolean> {
  const read = await readPage(reading);
  if (read === undefined) return false;
  await sendPage(reading, read);
  return !read.isLast;
}
