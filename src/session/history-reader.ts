import { namespaceOptions } from '../config/namespaces.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import type { HubClient } from '../delivery/hub-client.ts';
import { batchHeadBytes, encodeWithItems, itemsPerFrame } from '../fanout/frame.ts';
import { FanoutItem } from '../fanout/item.ts';
import type { HistoryAnswer } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { namespaceOf, parseTopic, type Topic } from '../protocol/topic.ts';
import { assertMay } from './access.ts';
import type { Connection } from './connection.ts';

type Question = ClientMessage<'history'>;

const ITEMS_DEFAULT = 100;
/** One that is told `busy` need not be back sooner. */
const RETRY_AFTER_MS = 1000;

export interface HistoryReaderOptions {
  readonly config: Config;
  readonly hub: HubClient;
  /** Resolves when the connection's socket has room, or has closed. */
  readonly whenRoom: (connection: Connection) => Promise<void>;
  /** The same, and the loop has time for so many bytes. */
  readonly whenTurn: (connection: Connection, bytes: number) => Promise<void>;
}

/** How far an answer has come. */
interface Progress {
  epoch: string;
  /** Given up to here. */
  after: number;
  itemsLeft: number;
  bytesLeft: number;
  /** A `last`: what was the end when it was asked for. */
  upTo: number | undefined;
}

/**
 * Answers `history` in parts: a page is asked for when the socket has room, and goes out in frames of the usual size, each of which the client can go on from.
 * So an answer costs a page, however large it is, and other answers pass between its parts. One page of a connection is under way at a time.
 */
export class HistoryReader {
  readonly #options: HistoryReaderOptions;

  constructor(options: HistoryReaderOptions) {
    this.#options = options;
  }

  /** @throws ProtocolError `bad_topic`, `unknown_namespace`, `unauthorized`, `forbidden`, `unsupported`, `busy`, `unavailable` */
  async answer(connection: Connection, question: Question): Promise<void> {
    const topic = parseTopic(question.topic);
    const { clientItemsMax } = this.#namespaceFor(connection, topic).history;
    const { historiesPerConnectionMax, historyBytesMax } = this.#options.config.tuning.answers;
    if (connection.historiesInFlight >= historiesPerConnectionMax) {
      throw new ProtocolError('busy', `${historiesPerConnectionMax} history requests of this connection wait`, {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    connection.historiesInFlight++;
    const wanted = question.since === undefined ? (question.last ?? question.limit) : question.limit;
    const progress: Progress = {
      epoch: question.since?.epoch ?? '',
      after: question.since?.offset ?? 0,
      itemsLeft: Math.min(wanted ?? ITEMS_DEFAULT, clientItemsMax),
      bytesLeft: historyBytesMax,
      upTo: undefined,
    };
    try {
      let goesOn = true;
      // In turn page by page: a large answer holds up no small one.
      while (goesOn) goesOn = await connection.inTurn(() => this.#page(connection, topic, question, progress));
    } finally {
      connection.historiesInFlight--;
    }
  }

  /** @returns whether there is more to be given */
  async #page(connection: Connection, topic: Topic, question: Question, progress: Progress): Promise<boolean> {
    const { hub, whenRoom } = this.#options;
    await whenRoom(connection);
    if (connection.socket === undefined) return false;
    // A refreshed token may permit less.
    this.#namespaceFor(connection, topic);
    const { epoch, after, itemsLeft, upTo } = progress;
    const bytesMax = Math.min(this.#options.config.tuning.answers.historyPageBytesMax, progress.bytesLeft);
    const page =
      question.since === undefined && upTo === undefined
        ? await hub.readLast({ topic, count: itemsLeft, bytesMax })
        : await hub.read({ topic, epoch, after, limit: itemsLeft, bytesMax, ...(upTo !== undefined && { upTo }) });
    const isLast = this.#take(page, progress, question);
    await this.#send(connection, topic, question, page, isLast);
    return !isLast;
  }

  /** @returns whether the answer ends with this page */
  #take({ epoch, offset, more, complete, items, lastOffset }: HistoryAnswer, progress: Progress, { since }: Question): boolean {
    const isFirst = progress.epoch === '';
    if (since === undefined && isFirst) {
      progress.epoch = epoch;
      progress.upTo = lastOffset;
    }
    progress.after = offset;
    progress.itemsLeft -= items.length;
    progress.bytesLeft -= items.reduce((sum, { data }) => sum + data.length, 0);
    const ended = since === undefined && offset >= (progress.upTo ?? 0);
    return (
      !more || !complete || ended || epoch !== progress.epoch || progress.itemsLeft <= 0 || progress.bytesLeft <= 0 || items.length === 0
    );
  }

  /** The page in frames of the usual size, as the socket takes them. All of it counts for what was asked, part by part. */
  async #send(connection: Connection, topic: Topic, { id, since }: Question, page: HistoryAnswer, isLast: boolean): Promise<void> {
    const { epoch, complete } = page;
    const { encoding } = connection.codec;
    const { frameBytesMax } = this.#options.config.tuning.fanout;
    const items = page.items.map((item) => new FanoutItem(item, 0));
    const headBytes = batchHeadBytes({ topic, epoch });
    let at = 0;
    do {
      await this.#options.whenTurn(connection, frameBytesMax);
      if (connection.socket === undefined) return;
      const count = itemsPerFrame(encoding, items, at, headBytes, frameBytesMax);
      const part = items.slice(at, at + count);
      at += count;
      const ends = at >= items.length;
      const offset = ends ? page.offset : (part.at(-1)?.offset ?? page.offset);
      const continues = !ends || !isLast;
      // What was the last so many has nothing behind it.
      const more = continues || (since !== undefined && page.more);
      const reply = { type: 'history', id, topic, epoch, offset, complete, more, ...(continues && { continues }) };
      connection.sendEncoded(encodeWithItems(encoding, reply, part));
    } while (at < items.length);
  }

  #namespaceFor({ identity }: Connection, topic: Topic): NamespaceOptions {
    return assertMay(identity, 'history', namespaceOptions(this.#options.config, namespaceOf(topic)), topic);
  }
}
