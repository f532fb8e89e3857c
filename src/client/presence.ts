/** `@stentor-broadcast/client/presence`: who is subscribed to a topic, as it changes. It has its own entry, because most pages need none. */
import type { PresenceMember, ServerMessage } from '../protocol/messages.ts';
import type { NewPresence, PresenceChange } from './presence-types.ts';
import type { TopicOptions } from './topic-types.ts';

/** The options of a topic whose `onPresence` is told who is there, and again with every change. The namespace must have the option `presence`. */
export function presenceOptions<T>(options: TopicOptions<T> & Required<Pick<TopicOptions<T>, 'onPresence'>>): TopicOptions<T> {
  return { ...options, track: newTrack };
}

const newTrack: NewPresence = () => {
  const tracker = new PresenceTracker();
  return (message) => tracker.apply(message);
};

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
