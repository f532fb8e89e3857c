/** One connection of the user, in the order that all nodes agree on: a greater `rank` is newer, ties go by instance. */
export interface Ranked {
  readonly rank: number;
  readonly ageMs: number;
}

/** A connection of this node. */
export interface LocalConnection<Owner> {
  readonly connectionId: string;
  readonly owner: Owner;
  readonly sinceMs: number;
  readonly connectionsMax: number;
  rank: number;
  /** It waits to be let in; this ends the waiting. */
  wake: (() => void) | undefined;
}

/** What another node holds of the user, as far as it said. */
interface RemoteHolder {
  /** Of its last announcement that was heard whole. */
  version: number;
  heardAtMs: number;
  /** Ascending. */
  ranks: number[];
  /** Bound that its newest connection brings. */
  connectionsMax: number;
}

/** What a node tells of its connections of a user. */
export interface HolderNews {
  readonly instance: string;
  /** Rises by one with each. */
  readonly version: number;
  /** Everything that it holds; else what has come since the version before. */
  readonly whole: boolean;
  readonly added: readonly Ranked[];
  readonly removed: readonly number[];
  readonly connectionsMax: number;
}

/** What follows from another node's news. */
export interface Heard {
  /** Something was missed: it must be asked for all. */
  readonly gap: boolean;
  /** Connections of this node have new ranks, which others must be told. */
  readonly raised: boolean;
}

/**
 * The connections of one user on all nodes, as this node knows them.
 *
 * Ranks begin as wall clock time, and rise above all that is known. A node whose clock is behind learns that a connection that is older than its own has a
 * greater rank, by its age, which no clock has a part in: then it raises its own. So everybody agrees on the order, and the last to connect is the newest.
 */
export class HeldUser<Owner> {
  /** Oldest first. */
  local: readonly LocalConnection<Owner>[] = [];
  version = 0;
  readonly #instance: string;
  #remote: Map<string, RemoteHolder> | undefined;

  constructor(instance: string) {
    this.#instance = instance;
  }

  get remoteCount(): number {
    return this.#remote?.size ?? 0;
  }

  get isEmpty(): boolean {
    return this.local.length === 0;
  }

  add(connection: Omit<LocalConnection<Owner>, 'rank' | 'wake'>, wallMs: number): LocalConnection<Owner> {
    const added: LocalConnection<Owner> = { ...connection, rank: Math.max(wallMs, this.#greatestRank() + 1), wake: undefined };
    // As long as it must be: an array that grows by push takes 17 places at once.
    this.local = this.local.concat(added);
    return added;
  }

  /** @returns undefined when it is not there */
  remove(connectionId: string): LocalConnection<Owner> | undefined {
    const removed = this.local.find((one) => one.connectionId === connectionId);
    if (removed !== undefined) this.local = this.local.filter((one) => one !== removed);
    return removed;
  }

  learn({ instance, version, whole, added, removed, connectionsMax }: HolderNews, nowMs: number): Heard {
    const known = this.#remote?.get(instance);
    const ranks = added.map(({ rank }) => rank);
    if (whole && ranks.length === 0) this.#remote?.delete(instance);
    else if (whole) this.#setRemote(instance, { version, heardAtMs: nowMs, ranks: ranks.sort((a, b) => a - b), connectionsMax });
    else if (known === undefined || version !== known.version + 1) {
      // What is new is true in any case; what was missed must be asked for.
      if (ranks.length > 0)
        this.#setRemote(instance, { version, heardAtMs: nowMs, ranks: merge(known?.ranks ?? [], ranks), connectionsMax });
      return { gap: known !== undefined || ranks.length > 0, raised: this.#raiseAbove(added, nowMs) };
    } else {
      const gone = new Set(removed);
      const left = gone.size === 0 ? known.ranks : known.ranks.filter((rank) => !gone.has(rank));
      const now = merge(left, ranks);
      if (now.length === 0) this.#remote?.delete(instance);
      else this.#setRemote(instance, { version, heardAtMs: nowMs, ranks: now, connectionsMax });
    }
    return { gap: false, raised: this.#raiseAbove(added, nowMs) };
  }

  /** Forgets other nodes that have said nothing since then. */
  forgetUnheard(sinceMs: number): void {
    for (const [instance, { heardAtMs }] of this.#remote ?? []) if (heardAtMs < sinceMs) this.#remote?.delete(instance);
  }

  forgetRemote(): void {
    this.#remote = undefined;
  }

  /** How many connections the user may have: as the newest one says. 0: any number. */
  get connectionsMax(): number {
    let newestRank = -1;
    let connectionsMax = 0;
    const newest = this.local.at(-1);
    if (newest !== undefined) ({ rank: newestRank, connectionsMax } = newest);
    for (const holder of this.#remote?.values() ?? []) {
      const rank = holder.ranks.at(-1) ?? -1;
      if (rank > newestRank) [newestRank, connectionsMax] = [rank, holder.connectionsMax];
    }
    return connectionsMax;
  }

  /** Of this node's connections those past the bound, since so many newer ones are there; oldest first. */
  surplusOldest(heardSinceMs = Number.NEGATIVE_INFINITY): LocalConnection<Owner>[] {
    const max = this.connectionsMax;
    if (max === 0) return [];
    const surplus: LocalConnection<Owner>[] = [];
    for (const [at, one] of this.local.entries()) {
      const newer = this.local.length - 1 - at + this.#remoteNewerThan(one.rank, heardSinceMs);
      if (newer < max) break;
      surplus.push(one);
    }
    return surplus;
  }

  /** Is the connection past the bound, since so many older ones are there? */
  isSurplusNewest(connection: LocalConnection<Owner>, heardSinceMs = Number.NEGATIVE_INFINITY): boolean {
    const { connectionsMax } = connection;
    if (connectionsMax === 0) return false;
    const older = this.local.indexOf(connection) + this.#remoteCount(heardSinceMs) - this.#remoteNewerThan(connection.rank, heardSinceMs);
    return older >= connectionsMax;
  }

  /** Everything that this node holds, for others. */
  whole(nowMs: number): Ranked[] {
    return this.local.map(({ rank, sinceMs }) => ({ rank, ageMs: nowMs - sinceMs }));
  }

  /** Whatever is older than a connection of this node, and has a greater rank: its own rank rises, and those of the newer ones with it. */
  #raiseAbove(others: readonly Ranked[], nowMs: number): boolean {
    const oldestFirst = [...others].sort((a, b) => b.ageMs - a.ageMs);
    let raised = false;
    let at = 0;
    let least = 0;
    for (const one of this.local) {
      const ageMs = nowMs - one.sinceMs;
      for (; at < oldestFirst.length && (oldestFirst[at] as Ranked).ageMs > ageMs; at++) {
        least = Math.max(least, (oldestFirst[at] as Ranked).rank + 1);
      }
      if (one.rank < least) {
        one.rank = least;
        raised = true;
      }
      least = Math.max(least, one.rank + 1);
    }
    return raised;
  }

  #setRemote(instance: string, holder: RemoteHolder): void {
    this.#remote ??= new Map();
    this.#remote.set(instance, holder);
  }

  #greatestRank(): number {
    let greatest = this.local.at(-1)?.rank ?? 0;
    for (const { ranks } of this.#remote?.values() ?? []) greatest = Math.max(greatest, ranks.at(-1) ?? 0);
    return greatest;
  }

  #remoteCount(heardSinceMs: number): number {
    let count = 0;
    for (const { heardAtMs, ranks } of this.#remote?.values() ?? []) if (heardAtMs >= heardSinceMs) count += ranks.length;
    return count;
  }

  #remoteNewerThan(rank: number, heardSinceMs: number): number {
    let count = 0;
    for (const [instance, { heardAtMs, ranks }] of this.#remote ?? []) {
      if (heardAtMs >= heardSinceMs) count += ranks.length - firstAbove(ranks, instance > this.#instance ? rank - 1 : rank);
    }
    return count;
  }
}

/** Index of the first above the value, in ascending ranks. */
function firstAbove(ranks: readonly number[], value: number): number {
  let low = 0;
  let high = ranks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranks[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function merge(ranks: readonly number[], added: readonly number[]): number[] {
  return added.length === 0 ? [...ranks] : [...new Set([...ranks, ...added])].sort((a, b) => a - b);
}
