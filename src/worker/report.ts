import type { TopicTable } from '../delivery/topic-table.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { LaggingReport, TopicReport, TopicsWanted } from '../link/messages.ts';
import type { Connection } from '../session/connection.ts';
import { top } from '../telemetry/top.ts';

/** A report names so many lagging connections at most. */
export const LAGGING_SHOWN_MAX = 50;

/** What a report says of topics: of those with the most members here, or of the ones that are named, as far as they are open here. */
export function describeTopics(table: TopicTable, wanted: TopicsWanted | undefined): TopicReport[] {
  if (wanted === undefined) return [];
  const feeds = 'top' in wanted ? top(table.feeds(), wanted.top, membersOf) : wanted.named.flatMap((topic) => table.get(topic) ?? []);
  return feeds.map((feed) => ({ topic: feed.topic, members: membersOf(feed), lagging: feed.lagging }));
}

/** @param longestFirst lagging connections, in the order in which they fell behind */
export function describeLagging(longestFirst: Iterable<Connection>, nowMs: number): LaggingReport[] {
  const reports: LaggingReport[] = [];
  for (const connection of longestFirst) {
    if (reports.length === LAGGING_SHOWN_MAX) break;
    if (connection.lag === undefined) continue;
    reports.push({
      connectionId: connection.id,
      user: connection.identity.user,
      laggingMs: Math.max(0, nowMs - connection.lag.sinceMs),
      bufferedBytes: connection.socket?.getBufferedAmount() ?? 0,
      topics: [...connection.subscriptions.values()].filter(({ kind }) => kind === 'lagging').length,
    });
  }
  return reports;
}

/** One that lags has left the members that are counted for the fan-out. */
function membersOf(feed: TopicFeed): number {
  return feed.members + feed.lagging;
}
