import type { PresenceMember, ServerMessage } from '../protocol/messages.ts';

/** Who is subscribed to a topic. */
export interface Presence {
  /** Connections, on all nodes. */
  readonly count: number;
  /** Users, and connections without one. Undefined: they are only counted. */
  readonly members: readonly PresenceMember[] | undefined;
  /** They are too many to be named. */
  readonly membersOmitted: boolean;
}

export interface PresenceChange extends Presence {
  /** Since the last call; none with the first. */
  readonly joined: readonly PresenceMember[];
  readonly left: readonly PresenceMember[];
}

/** Makes what follows of each message about a subscription's members: see `presence.ts`. */
export type NewPresence = () => (message: ServerMessage<'presence'>) => PresenceChange;

export function toPresence({ count, members, membersOmitted }: ServerMessage<'presence'>): Presence {
  return { count, members, membersOmitted: membersOmitted ?? false };
}
