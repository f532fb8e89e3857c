import type { Member } from './member.ts';

/** A member of this node, and its connections per worker. There are many, and nearly all have one connection: those have no map of workers. */
export class OwnMember {
  readonly member: Member;
  /** Number of connections on all workers. */
  connections = 0;
  /** It has no connection left, and leaves at this time. 0: it has a connection. */
  leavesAtMs = 0;
  /** The worker of the connections that are not in `#others`. */
  #worker = 0;
  #others: Map<number, number> | undefined;

  constructor(member: Member) {
    this.member = member;
  }

  add(worker: number, delta: number): void {
    if (this.connections === 0) {
      this.#worker = worker;
      this.#others = undefined;
    } else if (worker !== this.#worker) {
      this.#others ??= new Map();
      this.#others.set(worker, (this.#others.get(worker) ?? 0) + delta);
    }
    this.connections += delta;
  }

  connectionsOn(worker: number): number {
    if (worker !== this.#worker) return this.#others?.get(worker) ?? 0;
    let others = 0;
    for (const connections of this.#others?.values() ?? []) others += connections;
    return this.connections - others;
  }
}
