import type { PresenceState } from '../presence/union.ts';
import type { PresenceOverview } from './report-types.ts';

/** With users and connections by their names. */
export function presenceOverview({ count, members, omitted }: PresenceState): PresenceOverview {
  return {
    count,
    ...(members !== undefined && {
      members: members.map(({ id, info }) => ({
        ...(id.startsWith('u') ? { user: id.slice(1) } : { connectionId: id.slice(1) }),
        ...(info !== undefined && { info }),
      })),
    }),
    ...(omitted && { membersOmitted: true as const }),
  };
}
