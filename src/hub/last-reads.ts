import type { RecoveryAnswer } from '../link/answers.ts';
import type { LinkItem } from '../link/publication-message.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { KeptRead, KeptReads } from '../recent/kept-reads.ts';
import { lastOf, newestWithin } from '../recent/missed.ts';
import { dataBytes, type LogReads, READ_AHEAD_BYTES } from './log-reads.ts';
import { whatOf } from './page.ts';

/** If a topic has more new publications than this, the last ones are read completely. */
const GROWTH_ITEMS_MAX = 1000;

/** Of a kept read of the last publications: how many were requested; of another one 0. */
export interface ReadNote {
  readonly lastCount: number;
}

/**
 * The last publications of topics. A recent read is extended by what is new since: otherwise those of a live topic would be read completely after each
 * publication.
 */
export class LastReads {
  readonly #logs: LogReads;
  readonly #kept: KeptReads<LinkItem, ReadNote>;
  readonly #bytesMax: number;

  /** @param bytesMax of one answer: the newest of what was requested */
  constructor(logs: LogReads, kept: KeptReads<LinkItem, ReadNote>, bytesMax: number) {
    this.#logs = logs;
    this.#kept = kept;
    this.#bytesMax = bytesMax;
  }

  async read(topic: FeedName, epoch: string, count: number): Promise<RecoveryAnswer> {
    const log = this.#logs.log(topic);
    const known = this.#kept.get(whatOf({ topic, upTo: 0 }), epoch, performance.now());
    const grown = known && known.note.lastCount >= count ? await this.#grown(topic, known) : undefined;
    if (grown !== undefined) return lastOf(grown, count);
    const { lastOffset } = await log.state();
    const publications = await this.#logs.read('last', this.#bytesMax, () => log.readLast(topic, count, this.#bytesMax));
    const offset = publications.at(-1)?.offset ?? lastOffset;
    const answer = lastOf({ epoch, completeFrom: 0, offset, items: this.#logs.items(topic, publications) }, count);
    this.#kept.put(whatOf({ topic, upTo: offset }), answer, { lastCount: count }, performance.now());
    return answer;
  }

  /** Undefined: unknown, or too many. */
  async #grown(topic: FeedName, { missed: known, note, atMs }: KeptRead<LinkItem, ReadNote>): Promise<RecoveryAnswer | undefined> {
    const log = this.#logs.log(topic);
    const upTo = await log.lastOffset(topic);
    if (upTo === known.offset) return known;
    if (upTo < known.offset) return undefined;
    const range = { after: known.offset, upTo, limit: GROWTH_ITEMS_MAX, bytesMax: READ_AHEAD_BYTES };
    const { publications, anchored, more } = await this.#logs.read('last', READ_AHEAD_BYTES, () => log.read(topic, range));
    if (!anchored || more) return undefined;
    const all = [...known.items, ...this.#logs.items(topic, publications)];
    const items = newestWithin(all, this.#bytesMax, dataBytes).slice(-note.lastCount);
    const grown = { ...known, offset: upTo, items };
    // It is kept no longer than the read that it extends, because some of that may be removed from the log. Another request may have read it again meanwhile.
    const what = whatOf({ topic, upTo });
    if (this.#kept.get(what, known.epoch, atMs)?.missed === known) this.#kept.put(what, grown, note, atMs);
    return grown;
  }
}
