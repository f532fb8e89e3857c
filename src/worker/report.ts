import type { Receiver } from '../delivery/receiver.ts';
import type { TopicTable } from '../delivery/topic-table.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import type { EndTarget } from '../link/orders.ts';
import type { ConnectionReport, ConnectionsReport, LaggingReport, TopicReport, TopicsWanted } from '../link/reports.ts';
import { type Connection, secondsNow } from '../session/connection.ts';
import { isMeant } from '../session/endings.ts';
import { top } from '../telemetry/top.ts';

/** Maximum number of lagging connections in a report. */
export const LAGGING_SHOWN_MAX = 50;
/** Maximum number of topics of a connection that are named. */
export const TOPICS_SHOWN_MAX = 100;

/** The topics of a report: those with the most members here, or the named ones that are open here. */
export function describeTopics(table: TopicTable, wanted: TopicsWanted | undefined): TopicReport[] {
  if (wanted === undefined) return [];
  const feeds =
    'top' in wanted
      ? top(beginningWith(table, wanted.prefix), wanted.top, membersOf)
      : wanted.named.flatMap((topic) => table.get(topic) ?? []);
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

function* beginningWith(table: TopicTable, prefix = ''): Iterable<TopicFeed> {
  for (const feed of table.feeds()) if (feed.topic.startsWith(prefix)) yield feed;
}

/** The connections that a question is about: how many there are, and the first of them. */
export function describeConnections(connections: Iterable<Connection>, target: EndTarget, limit: number): ConnectionsReport {
  const shown: ConnectionReport[] = [];
  let total = 0;
  for (const connection of connections) {
    if (!isMeant(connection, target)) continue;
    total++;
    if (shown.length < limit) shown.push(describe(connection));
  }
  return { total, connections: shown };
}

function describe({ id, identity, receiver, codec, openedAtS }: Connection): ConnectionReport {
  const { subscriptions, socket, lag } = receiver;
  return {
    connectionId: id,
    user: identity.user,
    encoding: codec.encoding,
    connectedForMs: (secondsNow() - openedAtS) * 1000,
    subscriptions: subscriptions.size,
    topics: [...subscriptions.keys()].slice(0, TOPICS_SHOWN_MAX),
    lagging: lag?.fellBehind === true,
    bufferedBytes: receiver.isOpen ? socket.bufferedBytes : 0,
  };
}
