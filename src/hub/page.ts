import type { HistoryAnswer, LinkItem, RecoveryAnswer } from '../link/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import { bytesOf } from './recent-items.ts';

export interface PageQuestion {
  readonly topic: Topic;
  readonly epoch: string;
  readonly after: number;
  readonly limit: number;
  /** Of what publications take on the link and in memory: small ones are mostly what is around them. One comes in any case. */
  readonly bytesMax: number;
  /** Every publication up to this offset, as they lie in the log; else, of a keyed topic, the latest of each key. */
  readonly upTo?: number;
}

/** What a read is of: publications as they lie in the log, or the latest of each key. */
export function whatOf({ topic, upTo }: Pick<PageQuestion, 'topic' | 'upTo'>): string {
  return `${upTo === undefined ? 'since' : 'range'} ${topic}`;
}

/** The first of them after a position that one page takes. */
export function pageOf(
  { epoch, completeFrom, offset, items, more = false }: RecoveryAnswer,
  question: Omit<PageQuestion, 'topic' | 'epoch'>,
): HistoryAnswer {
  const { after, limit, bytesMax, upTo = Number.POSITIVE_INFINITY } = question;
  const from = items.findIndex((item) => item.offset > after);
  const page: LinkItem[] = [];
  let bytes = 0;
  let isCut = false;
  for (let at = from; at >= 0 && at < items.length && !isCut; at++) {
    const item = items[at] as LinkItem;
    if (item.offset > upTo) break;
    bytes += bytesOf(item);
    isCut = page.length === limit || (page.length > 0 && bytes > bytesMax);
    if (!isCut) page.push(item);
  }
  return {
    epoch,
    offset: isCut ? (page.at(-1)?.offset ?? after) : Math.min(offset, upTo),
    complete: completeFrom !== undefined && completeFrom <= after,
    more: isCut || more,
    items: page,
  };
}
