import type { Bus } from '../bus/bus.ts';
import { BusError } from '../bus/bus-error.ts';
import type { HistoryAnswer } from '../link/answers.ts';
import type { RangeQuestion } from '../link/questions.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Position } from '../protocol/messages.ts';
import { namespaceOf } from '../protocol/topic.ts';
import type { History } from './history.ts';

interface Beginning extends Position {
  /** Nothing after it has been removed. */
  readonly isWhole: boolean;
  /** Of the log, if it has been asked. */
  readonly lastOffset?: number;
}

/** Belongs to no log: who begins there gets the state, and is told so. */
const NOWHERE: Position = { epoch: '-', offset: 0 };

/** The past of a topic by the times at which its log has stored it, milliseconds since 1970. */
export class HistoryByTime {
  readonly #bus: Bus;
  readonly #history: Pick<History, 'page' | 'epochOf'>;

  constructor(bus: Bus, history: Pick<History, 'page' | 'epochOf'>) {
    this.#bus = bus;
    this.#history = history;
  }

  /**
   * The position after which comes everything that was stored at that time or later. If some of that may have been removed from the log since, it is a position
   * of no log. @throws BusError
   */
  async placeOf(topic: FeedName, atMs: number): Promise<Position> {
    const { isWhole, epoch, offset } = await this.#lookUp(topic, atMs);
    return isWhole ? { epoch, offset } : NOWHERE;
  }

  async #lookUp(topic: FeedName, atMs: number): Promise<Beginning> {
    const log = this.#bus.log(namespaceOf(topic));
    const epoch = await this.#history.epochOf(topic);
    const offset = await log.offsetBefore(atMs);
    const { epoch: after, firstOffset, lastOffset } = await log.state();
    // The time was looked up in another log.
    if (after !== epoch) throw new BusError('bus_unreachable', `the log of ${topic} was replaced meanwhile`);
    // Age and size remove the oldest of the log: while something is there from before this time, they have taken nothing from after it.
    return { epoch, offset, isWhole: offset === 0 || offset >= firstOffset, lastOffset };
  }

  /**
   * The first page of what the log has from `fromMs`, or after the position, and before `toMs`. `lastOffset` is where the range ends; further pages are those of
   * {@link History.page} up to there. It is complete if it is proven that nothing of it has been removed. @throws BusError, ProtocolError `busy`
   */
  async page({ topic, fromMs = 0, since, toMs, limit, bytesMax }: RangeQuestion): Promise<HistoryAnswer> {
    const beginning: Beginning = since === undefined ? await this.#lookUp(topic, fromMs) : { ...since, isWhole: true };
    const { epoch, offset: after, isWhole } = beginning;
    const upTo = Math.max(after, await this.#endOf(topic, toMs, beginning));
    const page = await this.#history.page({ topic, epoch, after, upTo, proven: true, limit, bytesMax });
    return { ...page, complete: page.complete && isWhole, lastOffset: upTo };
  }

  async #endOf(topic: FeedName, toMs: number | undefined, { lastOffset }: Beginning): Promise<number> {
    const log = this.#bus.log(namespaceOf(topic));
    return toMs !== undefined ? log.offsetBefore(toMs) : (lastOffset ?? (await log.state()).lastOffset);
  }
}
