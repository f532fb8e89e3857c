import { BusError } from '../bus/bus-error.ts';
import type { Log, LogState } from '../bus/log.ts';
import type { Publication } from '../bus/publication.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { stateOf as kindOf } from '../protocol/feed-state.ts';
import type { Topic } from '../protocol/topic.ts';
import type { DocumentReader } from './documents/document-reader.ts';
import type { DocumentsReader } from './documents/documents-reader.ts';
import type { OpenState } from './hub-topic.ts';
import { toLinkItems } from './link-item.ts';
import type { FollowerRun, LogFollower } from './log-follower.ts';

export interface StateSources {
  readonly log: Log;
  readonly follower: LogFollower;
  readonly namespace: NamespaceOptions;
  readonly keysMax: number;
  readonly document: DocumentReader;
  readonly documents: DocumentsReader;
}

/** How long to wait for a follower that lags. */
const REACH_TIMEOUT_MS = 2000;

/**
 * The state of a topic from the log, for opening it. What the follower delivers of the topic must already be buffered.
 * @throws BusError
 */
export async function readTopicState(topic: FeedName, sources: StateSources): Promise<OpenState> {
  const { log, follower, namespace, keysMax } = sources;
  const { run } = follower;
  const end = await presentEnd(sources);
  const { epoch, before = [], lastOffset, knownFrom = 0 } = end;
  const kind = kindOf(topic, namespace);
  if (kind === 'document' || kind === 'documents') {
    // Only whole topics are read: what a key has is in the topic.
    const name = topic as Topic;
    const read =
      kind === 'document'
        ? await sources.document.read(log, name, namespace, end, knownFrom)
        : await sources.documents.read(log, name, namespace, end, knownFrom);
    const { offset = lastOffset, image } = read;
    const state = 'documents' in read ? read.documents : read.document;
    await assertPassed(offset, run, log, follower);
    return {
      epoch,
      before,
      offset: Math.max(offset, knownFrom),
      completeFrom: knownFrom,
      knownFrom,
      items: state.between(),
      ...(!state.isKnown && { unavailable: true as const }),
      ...('documents' in read && { documents: read.documents }),
      image,
    };
  }
  const publications = await log.snapshot(topic);
  const state = stateOf(topic, publications.slice(-keysMax), end, namespace);
  const surplus = publications[publications.length - keysMax - 1]?.offset ?? 0;
  const completeFrom = namespace.state === 'keyed' ? Math.max(surplus, await expiredUpTo(follower), knownFrom) : state.offset;
  await assertPassed(state.offset, run, log, follower);
  return { ...state, completeFrom };
}

/**
 * The same for many topics of a namespace whose state is the last publication, with few questions to the log.
 * @returns the state of each, by its index; made when it is asked for, because publications may be large
 * @throws BusError
 */
export async function readLastStates(topics: readonly FeedName[], sources: StateSources): Promise<(index: number) => OpenState> {
  const { log, follower, namespace } = sources;
  const { run } = follower;
  const end = await presentEnd(sources);
  const latest = await log.latest(topics);
  const furthest = latest.reduce((most, publication) => Math.max(most, offsetOf(publication, end)), 0);
  await assertPassed(furthest, run, log, follower);
  return (index) => {
    const publication = latest[index];
    return stateOf(topics[index] as FeedName, publication === undefined ? [] : [publication], end, namespace);
  };
}

/**
 * The end of the log that is followed. It is requested before anything else: a topic without publications is at the end of the log at that time, so nobody can
 * have missed one.
 * @throws BusError
 */
async function presentEnd({ log, follower }: StateSources): Promise<LogState> {
  const { position } = follower;
  const end = await follower.end();
  if (end.epoch !== follower.epoch) throw new BusError('bus_unreachable', `the log of ${log.namespace} is not the one that is followed`);
  // A new leader may not yet know everything that has been delivered: its answer would leave a gap.
  if (end.lastOffset < position) throw new BusError('bus_unreachable', `the log of ${log.namespace} ends before what it has delivered`);
  return end;
}

function stateOf(topic: FeedName, publications: readonly Publication[], end: LogState, namespace: NamespaceOptions): OpenState {
  const { epoch, before = [], knownFrom = 0 } = end;
  const offset = offsetOf(publications.at(-1), end);
  return { epoch, before, offset, completeFrom: offset, knownFrom, items: toLinkItems(publications, namespace, topic) };
}

/** Of a topic with this last publication. */
function offsetOf(last: Publication | undefined, { lastOffset, knownFrom = 0 }: LogState): number {
  // Positions from before it must not count as positions in the current topic.
  return Math.max(last?.offset ?? lastOffset, knownFrom);
}

/**
 * Clients are never told an offset that the follower has not passed without interruption since. When following resumes, only what it has delivered is compared.
 * So what was read beyond it could be rolled back and published again, unnoticed.
 * @throws BusError
 */
async function assertPassed(offset: number, run: FollowerRun, log: Log, follower: LogFollower): Promise<void> {
  if ((await follower.reach(offset, REACH_TIMEOUT_MS)) && follower.isSameRun(run)) return;
  throw new BusError('bus_unreachable', `the log of ${log.namespace} could not be followed up to ${offset}, where it was read`);
}

/**
 * Age and size limits remove the oldest of the whole log first, so everything that changed after this offset was still there when a state was read before. (It
 * is a lower bound: what lay at the beginning of the log may also have been superseded.)
 */
async function expiredUpTo(follower: LogFollower): Promise<number> {
  return (await follower.end()).firstOffset - 1;
}
