import type { Predecessor } from '../bus.ts';
import { type EpochEntry, type Evidence, epochOf } from './epoch.ts';

/** Lives that a new one may have as its beginning. Older ones are forgotten: their clients start over. */
const PREDECESSORS_MAX = 16;

/**
 * The lives that a new life goes on from, as far as that is proven. It begins when everything was down, nodes and NATS, so nobody can say that the log has
 * not been put back to an older copy meanwhile. But what the last checkpoint saw is there still, and a log only grows: up to the checkpoint both lives are the
 * same. Whoever has more of the old life may have what is lost.
 *
 * @param last what was kept of the life before; undefined: nothing
 * @param evidence how the log compares with its checkpoint
 */
export function predecessorsOf(last: EpochEntry | undefined, created: string, evidence: Evidence): readonly Predecessor[] {
  if (last === undefined || last.created !== created) return [];
  if (evidence !== 'same' && evidence !== 'none') return [];
  const upTo = last.checkpoint?.offset ?? 0;
  const older = (last.before ?? []).map(({ epoch, upTo: end }) => ({ epoch, upTo: Math.min(end, upTo) }));
  return [{ epoch: epochOf(last), upTo }, ...older].slice(0, PREDECESSORS_MAX);
}
