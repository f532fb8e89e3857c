import { type Bus, BusError } from '../bus/bus.ts';
import type { HistoryAnswer } from '../link/messages.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Position } from '../protocol/messages.ts';
import { namespaceOf } from '../protocol/topic.ts';
import type { History } from './history.ts';

/** From a time, or after a position, up to a time. */
export interface RangeQuestion {
  readonly topic: FeedName;
  readonly fromMs?: number | undefined;
  readonly since?: Position | undefined;
  /** Absent: the end of the log. */
  readonly toMs?: number | undefined;
  readonly limit: number;
  readonly bytesMax: number;
}

/** The past of a topic by the times at which its log has stored it, milliseconds since 1970. */
export class HistoryByTime {
  readonly #bus: Bus;
  readonly #history: Pick<History, 'page' | 'epochOf'>;

  constructor(bus: Bus, history: Pick<History, 'page' | 'epochOf'>) {
    this.#bus = bus;
    this.#history = history;
  }

  /** The position after which comes what was stored at that time or later. @throws BusError */
  async placeOf(topic: FeedName, atMs: number): Promise<Position> {
    const epoch = await this.#history.epochOf(topic);
    const offset = await this.#bus.log(namespaceOf(topic)).offsetBefore(atMs);
    // The time was looked up in another log.
    if ((await this.#history.epochOf(topic)) !== epoch) throw new BusError('bus_unreachable', `the log of ${topic} was replaced meanwhile`);
    return { epoch, offset };
  }

  /**
   * The first page of what the log has from `fromMs`, or after the position, and before `toMs`. `lastOffset` is where the range ends; further pages are those of
   * {@link History.page} up to there. It is complete if it is proven that nothing of it has been removed. @throws BusError, ProtocolError `busy`
   */
  async page({ topic, fromMs = 0, since, toMs, limit, bytesMax }: RangeQuestion): Promise<HistoryAnswer> {
    const { epoch, offset: after } = since ?? (await this.placeOf(topic, fromMs));
    const log = this.#bus.log(namespaceOf(topic));
    const end = toMs === undefined ? (await log.state()).lastOffset : await log.offsetBefore(toMs);
    const upTo = Math.max(after, end);
    const page = await this.#history.page({ topic, epoch, after, upTo, proven: true, limit, bytesMax });
    return { ...page, lastOffset: upTo };
  }
}
