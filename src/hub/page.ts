import type { HistoryAnswer, RecoveryAnswer } from '../link/answers.ts';
import type { LinkItem } from '../link/publication-message.ts';
import type { PageQuestion } from '../link/questions.ts';
import { bytesOf } from './recent-items.ts';

/** What a read returns: publications as in the log, or the latest of each key. */
export function whatOf({ topic, upTo, proven }: Pick<PageQuestion, 'topic' | 'upTo' | 'proven'>): string {
  return `${upTo === undefined ? 'since' : proven === true ? 'proven' : 'range'} ${topic}`;
}

/** The first publications after a position that fit into one page. */
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
