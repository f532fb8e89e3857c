import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import type { LinkItem } from '../link/publication-message.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { toBuffer } from '../protocol/kept-bytes.ts';
import { assertTopicFits } from '../protocol/publish-rules.ts';
import { assertTimeRange } from '../protocol/time-range.ts';
import { namespaceOf } from '../protocol/topic.ts';
import { toProtocolError } from './failure.ts';
import type { History } from './history.ts';
import type { HistoryByTime } from './history-by-time.ts';
import type { HistoryPage, HistoryQuestion } from './report-types.ts';

interface Sources {
  readonly config: Config;
  readonly history: Pick<History, 'page' | 'last'>;
  readonly byTime: Pick<HistoryByTime, 'page'>;
}

/**
 * One page of a topic's history for the operator, from any durable namespace. It has at most `tuning.answers.historyBytesMax` bytes.
 *
 * @throws ProtocolError `unknown_namespace`, `bad_topic`, `bad_message` (the range of times), `unsupported`, `busy`, `unavailable`
 */
export async function readHistory(
  { config, history, byTime }: Sources,
  { topic, since, fromMs, toMs, limit }: HistoryQuestion,
): Promise<HistoryPage> {
  const namespace = assertTopicFits(topic, namespaceOptions(config, namespaceOf(topic)));
  if (!namespace.durable) throw new ProtocolError('unsupported', `${topic} is ephemeral: it has no history`);
  const bytesMax = config.tuning.answers.historyBytesMax;
  assertTimeRange({ since, fromMs, toMs });
  try {
    if (fromMs !== undefined || toMs !== undefined) {
      const { lastOffset: _, ...page } = await byTime.page({ topic, since, fromMs, toMs, limit, bytesMax });
      return withBytes(page);
    }
    if (since !== undefined) return withBytes(await history.page({ topic, epoch: since.epoch, after: since.offset, limit, bytesMax }));
    const { lastOffset, ...page } = await history.last(topic, limit, bytesMax);
    return withBytes({ ...page, more: page.offset < (lastOffset ?? 0) });
  } catch (error) {
    throw toProtocolError(error as Error);
  }
}

function withBytes<P extends { readonly items: readonly LinkItem[] }>(page: P) {
  return { ...page, items: page.items.map((item) => ({ ...item, data: toBuffer(item.data) })) };
}
