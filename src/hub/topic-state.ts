import { BusError, type Log } from '../bus/bus.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import type { TopicState } from '../link/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import { toLinkItems } from './link-item.ts';
import type { LogFollower } from './log-follower.ts';

export interface StateSources {
  readonly log: Log;
  readonly follower: LogFollower;
  readonly namespace: NamespaceOptions;
  readonly keysMax: number;
}

/**
 * What a topic is, as the log says: for the moment in which it is opened. The follower must be holding what it delivers of the topic already.
 * @throws BusError
 */
export async function readTopicState(topic: Topic, { log, follower, namespace, keysMax }: StateSources): Promise<TopicState> {
  const { position } = follower;
  // The end of the log is asked for first: a topic that has nothing stands where the log stood before anybody could have missed a publication of it.
  const { epoch, before = [], lastOffset } = await follower.end();
  if (epoch !== follower.epoch) throw new BusError('bus_unreachable', `the log of ${log.namespace} is not the one that is followed`);
  // A new leader may not know all yet that has been delivered already: its answer would leave a hole.
  if (lastOffset < position) throw new BusError('bus_unreachable', `the log of ${log.namespace} says less than it has delivered`);
  const publications = await log.snapshot(topic);
  const surplus = publications[publications.length - keysMax - 1]?.offset ?? 0;
  const items = toLinkItems(publications.slice(-keysMax), namespace);
  const offset = publications.at(-1)?.offset ?? lastOffset;
  const completeFrom = namespace.keyed ? Math.max(surplus, await expiredUpTo(follower)) : offset;
  return { epoch, before, offset, completeFrom, items };
}

/**
 * Age and size remove the oldest of the whole log first, so whatever changed after this offset still was there when a state was read before. (A lower bound:
 * what lay at the log's beginning may also have been superseded.)
 */
async function expiredUpTo(follower: LogFollower): Promise<number> {
  return (await follower.end()).firstOffset - 1;
}
