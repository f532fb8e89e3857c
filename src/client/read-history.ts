import type { ServerMessage } from '../protocol/messages.ts';
import { isTopicOrPattern } from '../protocol/topic.ts';
import { assertFields, assertTopic } from './check.ts';
import { callSafely } from './emitter.ts';
import { type History, toItems } from './item.ts';
import type { HistoryOptions, SubscriptionHost } from './topic-types.ts';

type Answer = ServerMessage<'history'>;

/** Reads a part of a topic's log; with `onItem` each item as it arrives, at the speed of a replay. Rejects with InvalidError, and as `ask` does. */
export async function readHistory<T>(
  ask: SubscriptionHost['ask'],
  topic: string,
  { signal, onItem, ...range }: HistoryOptions,
  timeoutMs: number,
): Promise<History<T>> {
  assertTopic(topic, isTopicOrPattern);
  assertFields({ signal, onItem });
  const itemsOf = ({ epoch, items }: Answer) => toItems<T>(topic, epoch, items, 'recovered');
  const onPart = (part: Answer) => {
    if (onItem) for (const item of itemsOf(part)) callSafely(onItem, item);
  };
  const how = onItem ? { onPart, onAnswer: onPart } : { resend: true };
  const answer = await ask({ type: 'history', topic, ...range }, { timeoutMs, signal, ...how });
  const { epoch, offset, complete, more } = answer;
  return { epoch, offset, complete, more, items: onItem ? [] : itemsOf(answer) };
}
