import { bytesOf, type Member } from './member.ts';

/** Limits the memory of all members together. If a topic's next member does not fit, the topic is only counted from then on. */
export class MemberBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(member: Member): boolean {
    const bytes = bytesOf(member);
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(members: Iterable<Member>): void {
    for (const member of members) this.#bytes -= bytesOf(member);
  }
}
