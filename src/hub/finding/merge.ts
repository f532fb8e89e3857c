import type { ConnectionsFound, TopicFigures, TopicSort, TopicsFound, UsersFound } from '../report-types.ts';
import type { FoundOf } from './messages.ts';

/** One answer for the answers of several nodes. Pure. */

/** What each node adds to the answer. */
type Merged<T> = Omit<T, 'nodes' | 'nodesSilent'>;

export function mergeUsers(pages: readonly FoundOf<'users'>[], limit: number): Merged<UsersFound> {
  const connections = new Map<string, number>();
  for (const { users } of pages) for (const { user, connections: here } of users) add(connections, user, here);
  const { names, next } = pageOf([...connections.keys()], pages, limit);
  return { ...totalOf(pages, connections.size), users: names.map((user) => ({ user, connections: connections.get(user) ?? 0 })), ...next };
}

export function mergeTopics(pages: readonly FoundOf<'topics'>[], sort: TopicSort, limit: number): Merged<TopicsFound> {
  const topics = new Map<string, TopicFigures>();
  for (const page of pages) for (const here of page.topics) topics.set(here.topic, together(topics.get(here.topic), here));
  const workersSilent = sum(pages.map((page) => page.workersSilent));
  if (sort === 'name') {
    const { names, next } = pageOf([...topics.keys()], pages, limit);
    return { sort, ...totalOf(pages, topics.size), topics: names.map((name) => topics.get(name) as TopicFigures), ...next, workersSilent };
  }
  const weight = (topic: TopicFigures) => (sort === 'rate' ? topic.publicationsPerSecond : topic.members);
  const sorted = [...topics.values()].sort((a, b) => weight(b) - weight(a) || (a.topic < b.topic ? -1 : 1));
  return { sort, ...totalOf(pages, topics.size), topics: sorted.slice(0, limit), workersSilent };
}

/** @param nodes the name of each node, with what it found */
export function mergeConnections(
  nodes: readonly { readonly nodeId: string; readonly found: FoundOf<'connections'> }[],
  limit: number,
): Merged<ConnectionsFound> {
  return {
    total: sum(nodes.map(({ found }) => found.total)),
    connections: nodes.flatMap(({ nodeId, found }) => found.connections.map((connection) => ({ nodeId, ...connection }))).slice(0, limit),
    workersSilent: sum(nodes.map(({ found }) => found.workersSilent)),
  };
}

/** All nodes with subscribers get every publication of a topic, so their rates are the same one. */
function together(known: TopicFigures | undefined, here: TopicFigures): TopicFigures {
  if (known === undefined) return here;
  return {
    topic: here.topic,
    members: known.members + here.members,
    lagging: known.lagging + here.lagging,
    publicationsPerSecond: Math.max(known.publicationsPerSecond, here.publicationsPerSecond),
  };
}

/**
 * The first names of all pages. Of a name that is not after any page's `next`, every node has told all that it has; later names are left for the next page.
 */
function pageOf(all: string[], pages: readonly { readonly next?: string }[], limit: number): { names: string[]; next: { next?: string } } {
  const ends = pages.flatMap(({ next }) => (next === undefined ? [] : [next]));
  const known = ends.length === 0 ? all : all.filter((name) => ends.every((end) => name <= end));
  const names = known.sort().slice(0, limit);
  const last = names.at(-1);
  const isLast = last === undefined || (ends.length === 0 && names.length === known.length);
  return { names, next: isLast ? {} : { next: last } };
}

/** A name that several nodes have counts once. So with several nodes this is the least that there can be. */
function totalOf(pages: readonly { readonly total: number }[], seen: number): { readonly total: number } {
  return { total: Math.max(seen, ...pages.map(({ total }) => total)) };
}

function add(sums: Map<string, number>, name: string, more: number): void {
  sums.set(name, (sums.get(name) ?? 0) + more);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, one) => total + one, 0);
}
