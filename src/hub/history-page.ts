import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { assertTopicFits } from '../protocol/publish-rules.ts';
import { namespaceOf } from '../protocol/topic.ts';
import { toProtocolError } from './failure.ts';
import type { History } from './history.ts';
import type { HistoryPage, HistoryQuestion } from './report-types.ts';

/**
 * One page of a topic's history for the operator, from any durable namespace. It has at most `tuning.answers.historyBytesMax` bytes.
 *
 * @throws ProtocolError `unknown_namespace`, `bad_topic`, `unsupported`, `busy`, `unavailable`
 */
export async function readHistory(
  { config, history }: { readonly config: Config; readonly history: Pick<History, 'page' | 'last'> },
  { topic, since, limit }: HistoryQuestion,
): Promise<HistoryPage> {
  const namespace = assertTopicFits(topic, namespaceOptions(config, namespaceOf(topic)));
  if (!namespace.durable) throw new ProtocolError('unsupported', `${topic} is ephemeral: it has no history`);
  const bytesMax = config.tuning.answers.historyBytesMax;
  try {
    if (since !== undefined) return await history.page({ topic, epoch: since.epoch, after: since.offset, limit, bytesMax });
    const { lastOffset, ...page } = await history.last(topic, limit, bytesMax);
    return { ...page, more: page.offset < (lastOffset ?? 0) };
  } catch (error) {
    throw toProtocolError(error as Error);
  }
}
