/** One connection of the user. All nodes agree on the order: a greater `rank` is newer, and equal ranks are ordered by instance. */
export interface Ranked {
  readonly rank: number;
  /** At the time of the announcement. By the time that it took, the connection is older. */
  readonly ageMs: number;
}

/** A connection of this node. */
export interface LocalConnection<Owner> {
  readonly connectionId: string;
  readonly owner: Owner;
  readonly sinceMs: number;
  readonly connectionsMax: number;
  rank: number;
  /** It is not decided yet whether the connection is accepted. */
  isWaiting: boolean;
}

type NewConnection<Owner> = Omit<LocalConnection<Owner>, 'sinceMs' | 'rank' | 'isWaiting'> & {
  /** How long ago its worker let it in: this process may learn of it late. */
  readonly ageMs: number;
};

/** The connections of the user on another node, as that node announced them. */
interface RemoteNode {
  /** Version of the last announcement after which nothing is missing. */
  version: number;
  heardAtMs: number;
  /** Ascending. */
  ranks: number[];
  /** Limit from the token of its newest connection. */
  connectionsMax: number;
}

/** A node's announcement of its connections of a user. */
export interface NodeNews {
  readonly instance: string;
  /** Rises by one with each announcement. */
  readonly version: number;
  /** True: all connections of the node. False: the changes since the previous version. */
  readonly whole: boolean;
  readonly added: readonly Ranked[];
  readonly removed: readonly number[];
  readonly connectionsMax: number;
}

/** What follows from an announcement of another node. */
export interface Heard {
  /** An announcement is missing: the node must be asked for all its connections. */
  readonly gap: boolean;
  /** Connections of this node have new ranks, which must be announced. */
  readonly raised: boolean;
}

/**
 * The connections of one user on all nodes, as this node knows them.
 *
 * A new rank is the wall clock time at which the connection was let in, or higher than all ranks that are known by then. Announcements also carry ages, which
 * do not depend on wall clocks. If a node sees that a connection elsewhere is older than one of its own and has a greater rank, its clock is behind, and it raises
 * its own ranks. So all nodes agree, and the last to connect is the newest. No node raises a rank of another one: an announcement that comes late looks like one
 * of a newer connection, and then two nodes would each close a connection for the other's.
 */
export class LocalUser<Owner> {
  /** Oldest first. */
  local: readonly LocalConnection<Owner>[] = [];
  version = 0;
  readonly #instance: string;
  #remote: Map<string, RemoteNode> | undefined;

  constructor(instance: string) {
    this.#instance = instance;
  }

  get remoteCount(): number {
    return this.#remote?.size ?? 0;
  }

  get isEmpty(): boolean {
    return this.local.length === 0;
  }

  /** @param nowMs by the monotonic clock @param wallMs the same by the wall clock */
  add({ connectionId, owner, connectionsMax, ageMs }: NewConnection<Owner>, nowMs: number, wallMs: number): LocalConnection<Owner> {
    const newest = this.local.at(-1);
    const ofOthers = this.#greatestRemoteRank();
    // A lower rank than the present time may be of a connection that came while this one waited to be added.
    const rank = Math.max(wallMs - ageMs, (newest?.rank ?? 0) + 1, ofOthers < wallMs ? 0 : ofOthers + 1);
    // Not by a spread: with more fields after it, V8 makes a hidden class for each such object, 280 bytes.
    const added: LocalConnection<Owner> = {
      connectionId,
      owner,
      sinceMs: Math.max(nowMs - ageMs, newest?.sinceMs ?? Number.NEGATIVE_INFINITY),
      connectionsMax,
      rank,
      isWaiting: false,
    };
    // concat keeps the array small: push would allocate 17 places at once.
    this.local = this.local.concat(added);
    return added;
  }

  /** @returns undefined if there is no such connection */
  remove(connectionId: string): LocalConnection<Owner> | undefined {
    const removed = this.local.find((one) => one.connectionId === connectionId);
    if (removed !== undefined) this.local = this.local.filter((one) => one !== removed);
    return removed;
  }

  learn({ instance, version, whole, added, removed, connectionsMax }: NodeNews, nowMs: number): Heard {
    const known = this.#remote?.get(instance);
    const ranks = added.map(({ rank }) => rank).sort((a, b) => a - b);
    if (whole && ranks.length === 0) this.#remote?.delete(instance);
    else if (whole) this.#setRemote(instance, { version, heardAtMs: nowMs, ranks, connectionsMax });
    else if (known === undefined || version !== known.version + 1) {
      // The added connections exist in any case. What is missing must be asked for.
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

  /** Forgets other nodes that have announced nothing since then. */
  forgetUnheard(sinceMs: number): void {
    for (const [instance, { heardAtMs }] of this.#remote ?? []) if (heardAtMs < sinceMs) this.#remote?.delete(instance);
  }

  /** The user's limit: that of the newest connection. 0: no limit. */
  get connectionsMax(): number {
    let newestRank = -1;
    let connectionsMax = 0;
    const newest = this.local.at(-1);
    if (newest !== undefined) ({ rank: newestRank, connectionsMax } = newest);
    for (const node of this.#remote?.values() ?? []) {
      const rank = node.ranks.at(-1) ?? -1;
      if (rank > newestRank) [newestRank, connectionsMax] = [rank, node.connectionsMax];
    }
    return connectionsMax;
  }

  /** Connections of this node that are above the limit, because there are enough newer ones. Oldest first. */
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

  /** True if the connection is above the limit, because there are enough older ones. */
  isSurplusNewest(connection: LocalConnection<Owner>, heardSinceMs = Number.NEGATIVE_INFINITY): boolean {
    const { connectionsMax } = connection;
    if (connectionsMax === 0) return false;
    const older = this.local.indexOf(connection) + this.#remoteCount(heardSinceMs) - this.#remoteNewerThan(connection.rank, heardSinceMs);
    return older >= connectionsMax;
  }

  /** All connections of this node, for an announcement. */
  whole(nowMs: number): Ranked[] {
    return this.local.map(({ rank, sinceMs }) => ({ rank, ageMs: nowMs - sinceMs }));
  }

  /** If an older connection elsewhere has a greater rank than one of this node, raises the rank of that one and of all newer ones. */
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

  #setRemote(instance: string, node: RemoteNode): void {
    this.#remote ??= new Map();
    this.#remote.set(instance, node);
  }

  #greatestRemoteRank(): number {
    let greatest = 0;
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

/** Index of the first rank above the value. The ranks are ascending. */
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
