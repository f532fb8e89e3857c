import { nowUs } from '../../src/bench/clock.ts';
import { PayloadMaker } from '../../src/bench/stamp.ts';
import { dueAtUs, dueCount, type FeedPlan, type FeedResult, publicationOf, publicationsIn, type TopicFeed } from './feed.ts';

/** `key` is null where the topic is not keyed. */
export type Publish = (topic: string, payload: Buffer, key: string | null) => void;

/**
 * Publishes a plan on its schedule and resolves when the last publication was handed over. Publications that became due while the loop was
 * busy go out together, each with the time at which it should have gone: a stalled server can't hide its stall.
 *
 * @param flush called after each turn's publications
 */
export async function runFeed(plan: FeedPlan, publish: Publish, flush: () => void | Promise<void> = () => {}): Promise<FeedResult> {
  const makers = plan.topics.map(({ payloadBytes }) => new PayloadMaker(payloadBytes ?? plan.payloadBytes));
  const sent = plan.topics.map(() => 0);
  let latenessMaxUs = 0;
  for (;;) {
    const now = nowUs();
    plan.topics.forEach((feed, i) => {
      const due = dueCount(feed, plan.startAtUs, plan.durationMs, now);
      for (let index = sent[i]!; index < due; index++) {
        const atUs = dueAtUs(feed, plan.startAtUs, index);
        latenessMaxUs = Math.max(latenessMaxUs, now - atUs);
        const { topic, stampKey, stampSequence, key } = publicationOf(feed, feed.firstSequence + index);
        publish(topic, makers[i]!.make(stampKey, stampSequence, atUs), key);
      }
      sent[i] = Math.max(sent[i]!, due);
    });
    await flush();
    const nextUs = nextDueUs(plan, sent);
    if (nextUs === undefined) break;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.ceil((nextUs - nowUs()) / 1000))));
  }
  return { published: Object.fromEntries(plan.topics.map((feed, i) => [feed.topic, sent[i]!])), latenessMaxUs };
}

/** One timer to the next due time, not a millisecond poll: at 20 msg/s a poll would cost 5% of what is measured. */
function nextDueUs(plan: FeedPlan, sent: readonly number[]): number | undefined {
  const open = (feed: TopicFeed, i: number) => sent[i]! < publicationsIn(feed, plan.durationMs);
  const times = plan.topics.flatMap((feed, i) => (open(feed, i) ? [dueAtUs(feed, plan.startAtUs, sent[i]!)] : []));
  return times.length === 0 ? undefined : Math.min(...times);
}
