import type { Receiver } from '../delivery/receiver.ts';
import type { TopicTable } from '../delivery/topic-table.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { LaggingReport, TopicReport, TopicsWanted } from '../link/messages.ts';
import { top } from '../telemetry/top.ts';

/** Maximum number of lagging connections in a report. */
export const LAGGING_SHOWN_MAX = 50;

/** The topics of a report: those with the most members here, or the named ones that are open here. */
export function describeTopics(table: TopicTable, wanted: TopicsWanted | undefined): TopicReport[] {
  if (wanted === undefined) return [];
  const feeds = 'top' in wanted ? top(table.feeds(), wanted.top, membersOf) : wanted.named.flatMap((topic) => table.get(topic) ?? []);
  return feeds.map((feed) => ({ topic: feed.topic, members: membersOf(feed), lagging: feed.lagging }));
}

/** @param longestFirst slow consumers, in the order in which they fell behind */
export function describeLagging(
  longestFirst: Iterable<Receiver>,
  userOf: (receiver: Receiver) => string | null,
  nowMs: number,
): LaggingReport[] {
  const reports: LaggingReport[] = [];
  for (const receiver of longestFirst) {
    if (reports.length === LAGGING_SHOWN_MAX) break;
    if (receiver.lag === undefined) continue;
    reports.push({
      connectionId: receiver.id,
      user: userOf(receiver),
      laggingMs: Math.max(0, nowMs - receiver.lag.sinceMs),
      bufferedBytes: receiver.socket.bufferedBytes,
      topics: [...receiver.subscriptions.values()].filter(({ kind }) => kind === 'lagging').length,
    });
  }
  return reports;
}

/** A lagging connection is not among the members that the fan-out counts. */
function membersOf(feed: TopicFeed): number {
  return feed.members + feed.lagging;
}
