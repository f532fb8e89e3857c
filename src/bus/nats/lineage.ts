import type { Predecessor } from '../log.ts';
import { type EpochEntry, type Evidence, epochOf } from './epoch.ts';

/** Maximum number of earlier epochs that a new one continues. Older ones are forgotten: their clients start over. */
const PREDECESSORS_MAX = 16;

/**
 * The epochs that a new epoch continues, as far as that is proven. It begins when all nodes and NATS were down, so an older copy of the log may have been
 * restored meanwhile. But the publication of the last checkpoint is still there, and a log only grows: up to the checkpoint both epochs are the same. A client
 * with a later position may have what is lost.
 *
 * @param last what was kept of the previous epoch; undefined: nothing
 * @param evidence the result of comparing the log with its checkpoint
 */
export function predecessorsOf(last: EpochEntry | undefined, created: string, evidence: Evidence): readonly Predecessor[] {
  if (last === undefined || last.created !== created) return [];
  if (evidence !== 'same' && evidence !== 'none') return [];
  const upTo = last.checkpoint?.offset ?? 0;
  const older = (last.before ?? []).map(({ epoch, upTo: end }) => ({ epoch, upTo: Math.min(end, upTo) }));
  return [{ epoch: epochOf(last), upTo }, ...older].slice(0, PREDECESSORS_MAX);
}
