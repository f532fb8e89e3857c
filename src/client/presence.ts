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

export function toPresence({ count, members, membersOmitted }: ServerMessage<'presence'>): Presence {
  return { count, members, membersOmitted: membersOmitted ?? false };
}

/** Keeps a topic's members, by what the server tells. */
export class PresenceTracker {
  #members: Map<string, PresenceMember> | undefined;
  #membersOmitted = false;

  /** After a reconnect the server tells all of them: what has changed meanwhile is worked out here. */
  apply({ count, members, joined = [], left = [], membersOmitted }: ServerMessage<'presence'>): PresenceChange {
    const before = this.#members;
    if (membersOmitted) this.#members = undefined;
    else if (members !== undefined) this.#members = new Map(members.map((member) => [idOf(member), member]));
    if (membersOmitted !== undefined || members !== undefined) this.#membersOmitted = membersOmitted === true;
    const change = {
      joined: joined.filter((member) => !before?.has(idOf(member))),
      left: left.filter((member) => before?.has(idOf(member))),
    };
    for (const member of joined) this.#members?.set(idOf(member), member);
    for (const member of left) this.#members?.delete(idOf(member));
    const now = this.#members;
    if (members !== undefined && before !== undefined) {
      change.joined = members.filter((member) => !before.has(idOf(member)));
      change.left = [...before.values()].filter((member) => !now?.has(idOf(member)));
    }
    return { count, members: now && [...now.values()], membersOmitted: this.#membersOmitted, ...change };
  }
}

function idOf({ user, connectionId }: PresenceMember): string {
  return user === undefined ? `c${connectionId}` : `u${user}`;
}
