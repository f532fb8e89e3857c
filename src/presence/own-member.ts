import type { Member } from './member.ts';

/** A member of this node, and its connections by worker. There are very many, and nearly all have one connection: no list of workers is kept for those. */
export class OwnMember {
  readonly member: Member;
  /** On all workers. */
  connections = 0;
  /** It has no connection left, and leaves then. 0: it has one. */
  leavesAtMs = 0;
  /** The worker of those that are not in `#others`. */
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
