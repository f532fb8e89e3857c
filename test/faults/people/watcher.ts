import type { ServerMessage } from '../../../src/protocol/messages.ts';
import type { PresenceTruth } from './settings.ts';

/** A client's list of the members of one topic, made from `presence` messages as PROTOCOL.md says. */
export class Watcher {
  contradictions = 0;
  readonly #onLeft: (user: string) => void;
  #count = 0;
  #members: Set<string> | undefined;

  /** @param onLeft a user is reported as left */
  constructor(onLeft: (user: string) => void) {
    this.#onLeft = onLeft;
  }

  take({ count, members, joined = [], left = [], membersOmitted }: ServerMessage<'presence'>): void {
    this.#count = count;
    if (membersOmitted === true) this.#members = undefined;
    if (members !== undefined) this.#members = new Set(members.map(({ user }) => user as string));
    for (const { user } of joined as readonly { user: string }[]) {
      if (this.#members === undefined || this.#members.has(user)) this.contradictions++;
      this.#members?.add(user);
    }
    for (const { user } of left as readonly { user: string }[]) {
      if (this.#members?.delete(user) !== true) this.contradictions++;
      this.#onLeft(user);
    }
  }

  /** @returns how the count differs; undefined: it does not */
  wrongCount({ count }: PresenceTruth): string | undefined {
    return this.#count === count ? undefined : `count ${this.#count} instead of ${count}`;
  }

  /** The same for the list of members. */
  wrongList({ users }: PresenceTruth): string | undefined {
    return this.#members === undefined ? undefined : wrongMembers([...this.#members], users);
  }
}

/** @returns how a list of members differs from who is there; undefined: it does not */
export function wrongMembers(members: readonly string[], users: readonly string[]): string | undefined {
  const ghosts = members.filter((user) => !users.includes(user));
  const absent = users.filter((user) => !members.includes(user));
  return ghosts.length + absent.length === 0 ? undefined : `too many: ${ghosts.slice(0, 3)}; missing: ${absent.slice(0, 3)}`;
}
