import { BusError, type Log } from '../bus/bus.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import type { Topic } from '../protocol/topic.ts';
import type { OpenState } from './hub-topic.ts';
import { toLinkItems } from './link-item.ts';
import type { FollowerRun, LogFollower } from './log-follower.ts';

export interface StateSources {
  readonly log: Log;
  readonly follower: LogFollower;
  readonly namespace: NamespaceOptions;
  readonly keysMax: number;
}

/** A follower that lags is waited for so long. */
const REACH_TIMEOUT_MS = 2000;

/**
 * What a topic is, as the log says: for the moment in which it is opened. The follower must be holding what it delivers of the topic already.
 * @throws BusError
 */
export async function readTopicState(topic: Topic, { log, follower, namespace, keysMax }: StateSources): Promise<OpenState> {
  const { position, run } = follower;
  // The end of the log is asked for first: a topic that has nothing stands where the log stood before anybody could have missed a publication of it.
  const { epoch, before = [], lastOffset, knownFrom = 0 } = await follower.end();
  if (epoch !== follower.epoch) throw new BusError('bus_unreachable', `the log of ${log.namespace} is not the one that is followed`);
  // A new leader may not know all yet that has been delivered already: its answer would leave a hole.
  if (lastOffset < position) throw new BusError('bus_unreachable', `the log of ${log.namespace} says less than it has delivered`);
  const publications = await log.snapshot(topic);
  const surplus = publications[publications.length - keysMax - 1]?.offset ?? 0;
  const items = toLinkItems(publications.slice(-keysMax), namespace);
  // Positions from before it are not to be taken for the topic's present one.
  const offset = Math.max(publications.at(-1)?.offset ?? lastOffset, knownFrom);
  const completeFrom = namespace.keyed ? Math.max(surplus, await expiredUpTo(follower), knownFrom) : offset;
  await assertPassed(offset, run, log, follower);
  return { epoch, before, offset, completeFrom, knownFrom, items };
}

/**
 * Clients are told of no offset that the follower has not passed without an interruption since: only what it has delivered is compared when it goes on, so
 * what was read beyond could be rolled back, and given again, unnoticed.
 * @throws BusError
 */
async function assertPassed(offset: number, run: FollowerRun, log: Log, follower: LogFollower): Promise<void> {
  if ((await follower.reach(offset, REACH_TIMEOUT_MS)) && follower.isSameRun(run)) return;
  throw new BusError('bus_unreachable', `the log of ${log.namespace} could not be followed up to ${offset}, where it was read`);
}

/**
 * Age and size remove the oldest of the whole log first, so whatever changed after this offset still was there when a state was read before. (A lower bound:
 * what lay at the log's beginning may also have been superseded.)
 */
async function expiredUpTo(follower: LogFollower): Promise<number> {
  return (await follower.end()).firstOffset - 1;
}
