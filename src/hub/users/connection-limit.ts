import type { Bus, ChannelReceiver, Listener } from '../../bus/bus.ts';
import type { UserChannel } from '../../bus/channel.ts';
import { nameToken } from '../../bus/name-token.ts';
import type { Config } from '../../config/schema.ts';
import { beginningOf, decodeUserAnnouncement, encodeUserAnnouncement } from './announcement.ts';
import { type LocalConnection, LocalUser, type NodeNews } from './local-user.ts';

/** What another node said is trusted for this time. After that the node is asked again before a connection is closed. */
const FRESH_MS = 1000;
/** The same for a refusal, which is final, while the clients of a killed node come back soon. Other nodes answer faster, so a user that is refused often is not asked about each time. */
const REFUSAL_FRESH_MS = 200;
/** Time for other nodes to answer. With `refuse`, a connect takes this much longer, at most 100 ms. */
const ANSWER_MS = 80;
/** With `refuse`, a connection can still be closed within this time after it was accepted, if announcements come late. */
const YOUNG_MS = 2000;
/** After a reconnect to the bus, users whose connections changed meanwhile are announced in batches of this size. */
const CATCH_UP_USERS = 500;
const CATCH_UP_PAUSE_MS = 20;

export interface ConnectionLimitOptions<Owner> {
  readonly config: Pick<Config, 'limits'>;
  readonly bus: Pick<Bus, 'announce' | 'listenToUser' | 'onConnectedChange' | 'connected'>;
  /** Id of this process. */
  readonly instance: string;
  /** Closes the connection, because its user has too many. It no longer counts. */
  readonly close: (owner: Owner, connectionId: string) => void;
  /** Monotonic clock, in milliseconds. */
  readonly nowMs?: () => number;
  /** Wall clock, in milliseconds since 1970. It may be wrong. */
  readonly wallMs?: () => number;
}

export interface UserConnection<Owner> {
  readonly user: string;
  readonly connectionId: string;
  readonly owner: Owner;
  /** Wall clock time, of this machine, at which its worker let it in. This process may learn of it later. */
  readonly sinceMs: number;
  /** Limit from the token. Undefined: the limit of the config. 0: no limit. */
  readonly connectionsMax?: number | undefined;
}

/** A user with connections to this node. It also receives the user's channel: one object instead of two, because there are many. */
class ListeningUser<Owner> extends LocalUser<Owner> implements ChannelReceiver {
  readonly user: string;
  readonly #limit: ConnectionLimit<Owner>;
  listener: Pick<Listener, 'stop'> | undefined;
  /** Set while the other nodes are asked. The connections are checked when it fires. */
  judging: NodeJS.Timeout | undefined;

  constructor(user: string, limit: ConnectionLimit<Owner>, instance: string) {
    super(instance);
    this.user = user;
    this.#limit = limit;
  }

  hear(data: Uint8Array): void {
    this.#limit.hear(this, data);
  }
}

/**
 * Limits the connections of a user on all nodes. Nodes that have connections of a user tell each other, on a channel of that user. There is no central list. A
 * node keeps only the users that are connected to it.
 */
export class ConnectionLimit<Owner> {
  readonly #options: ConnectionLimitOptions<Owner>;
  readonly #limits: Config['limits'];
  readonly #bus: ConnectionLimitOptions<Owner>['bus'];
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  readonly #ownBeginning: Uint8Array;
  readonly #users = new Map<string, ListeningUser<Owner>>();
  /** Users whose connections changed while the bus was disconnected. */
  readonly #untold = new Set<string>();
  readonly #stopWatchingBus: () => void;
  #catchingUp: NodeJS.Timeout | undefined;

  constructor(options: ConnectionLimitOptions<Owner>) {
    this.#options = options;
    this.#limits = options.config.limits;
    this.#bus = options.bus;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#wallMs = options.wallMs ?? Date.now;
    this.#ownBeginning = beginningOf(options.instance);
    this.#stopWatchingBus = options.bus.onConnectedChange((connected) => {
      if (connected) this.#catchUp();
    });
  }

  /** Number of users that have a connection to this node. */
  get size(): number {
    return this.#users.size;
  }

  /** The users that have a connection to this node. */
  users(): Iterable<string> {
    return this.#users.keys();
  }

  /** Number of connections of the user to this node. */
  countOf(user: string): number {
    return this.#users.get(user)?.local.length ?? 0;
  }

  /**
   * Adds a connection of a user.
   * @returns false if it is refused, after at most 100 ms. With `closeOldest` it is never refused, and this resolves at once.
   */
  async add(added: UserConnection<Owner>): Promise<boolean> {
    const { user, connectionId, owner, sinceMs, connectionsMax = this.#limits.connectionsPerUserMax } = added;
    const known = this.#users.get(user);
    const entry: ListeningUser<Owner> = known ?? new ListeningUser(user, this, this.#options.instance);
    this.#users.set(user, entry);
    const { connectionsPerUserMax, tooManyConnections } = this.#limits;
    const wallMs = this.#wallMs();
    const ageMs = Math.max(0, wallMs - sinceMs);
    const connection = entry.add({ connectionId, owner, connectionsMax, ageMs }, this.#nowMs(), wallMs);
    // Without any limit nothing is announced. If there is one, connections whose token lifts it also count.
    if (connectionsMax === 0 && connectionsPerUserMax === 0 && entry.listener === undefined) return true;
    const begins = entry.listener === undefined;
    if (begins) entry.listener = this.#bus.listenToUser(channelOf(user), entry);
    this.#tell(entry, begins ? { whole: true, asks: true } : { added: [{ rank: connection.rank, ageMs }] });
    if (tooManyConnections === 'closeOldest') {
      this.#judge(entry);
      return true;
    }
    return this.#admits(entry, connection, begins);
  }

  remove(user: string, connectionId: string): void {
    const entry = this.#users.get(user);
    const removed = entry?.remove(connectionId);
    if (entry === undefined || removed === undefined) return;
    if (entry.listener !== undefined) this.#tell(entry, { removed: [removed.rank] });
    if (entry.isEmpty) this.#forget(entry);
  }

  /** A worker is gone, with its connections. */
  removeOwner(owner: Owner): void {
    for (const [user, { local }] of [...this.#users]) {
      for (const { connectionId } of local.filter((one) => one.owner === owner)) this.remove(user, connectionId);
    }
  }

  /** Tells the other nodes that this node has no connections any more. */
  stop(): void {
    this.#stopWatchingBus();
    clearTimeout(this.#catchingUp);
    for (const entry of [...this.#users.values()]) {
      entry.local = [];
      if (entry.listener !== undefined) this.#tell(entry, { whole: true });
      this.#forget(entry);
    }
  }

  /**
   * Nothing is refused at once. Within the wait all nodes agree on the order of connections that came at the same time, so that these do not refuse each other;
   * and a node that is gone does not answer.
   */
  async #admits(entry: ListeningUser<Owner>, connection: LocalConnection<Owner>, begins: boolean): Promise<boolean> {
    const beganMs = this.#nowMs();
    const isSurplus = (heardSinceMs?: number) =>
      entry.isSurplusNewest(connection, this.#bus.connected ? heardSinceMs : Number.POSITIVE_INFINITY);
    if (this.#bus.connected && (begins || isSurplus() || entry.local.some(({ isWaiting }) => isWaiting))) {
      // A user that begins has asked already.
      const asks = !begins && isSurplus() && !isSurplus(beganMs - REFUSAL_FRESH_MS);
      if (asks) this.#tell(entry, { whole: true, asks: true });
      connection.isWaiting = true;
      await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
      connection.isWaiting = false;
      if (asks) entry.forgetUnheard(beganMs);
    }
    if (!isSurplus()) return true;
    this.remove(entry.user, connection.connectionId);
    return false;
  }

  /** For {@link ListeningUser}: an announcement about the user, from another node or this one. */
  hear(entry: ListeningUser<Owner>, data: Uint8Array): void {
    if (entry.isEmpty || startsWith(data, this.#ownBeginning)) return;
    const news = decodeUserAnnouncement(data);
    if (news === undefined) return;
    const { gap, raised } = entry.learn(news, this.#nowMs());
    if (raised || gap || news.asks) this.#tell(entry, { whole: true, asks: gap });
    this.#judge(entry);
  }

  /** Closes connections above the limit. If the knowledge of other nodes is not recent, they are asked first. */
  #judge(entry: ListeningUser<Owner>): void {
    if (this.#limits.tooManyConnections === 'refuse') return this.#judgeYoung(entry);
    const nowMs = this.#nowMs();
    const sure = entry.surplusOldest(this.#bus.connected ? nowMs - FRESH_MS : Number.POSITIVE_INFINITY);
    for (const one of sure) this.#close(entry, one);
    if (!this.#bus.connected || entry.judging !== undefined || entry.surplusOldest().length === 0) return;
    this.#tell(entry, { whole: true, asks: true });
    entry.judging = setTimeout(() => {
      entry.judging = undefined;
      entry.forgetUnheard(nowMs);
      this.#judge(entry);
    }, ANSWER_MS);
  }

  /** Closes young connections that were accepted while other nodes accepted too, at the same time. Not at once: see {@link #admits}. */
  #judgeYoung(entry: ListeningUser<Owner>): void {
    if (entry.judging !== undefined || this.#youngSurplus(entry).length === 0) return;
    entry.judging = setTimeout(() => {
      entry.judging = undefined;
      for (let [newest] = this.#youngSurplus(entry); newest !== undefined; [newest] = this.#youngSurplus(entry)) this.#close(entry, newest);
    }, ANSWER_MS);
  }

  /** Newest first. */
  #youngSurplus(entry: ListeningUser<Owner>): LocalConnection<Owner>[] {
    const nowMs = this.#nowMs();
    const isSurplus = (one: LocalConnection<Owner>) => nowMs - one.sinceMs <= YOUNG_MS && entry.isSurplusNewest(one, nowMs - FRESH_MS);
    return entry.local.filter((one) => !one.isWaiting && isSurplus(one)).reverse();
  }

  /** The connection no longer counts, even if its socket takes long to close. */
  #close({ user }: ListeningUser<Owner>, { owner, connectionId }: LocalConnection<Owner>): void {
    this.remove(user, connectionId);
    this.#options.close(owner, connectionId);
  }

  #tell(entry: ListeningUser<Owner>, news: Partial<Pick<NodeNews, 'whole' | 'added' | 'removed'>> & { readonly asks?: boolean }): void {
    entry.version++;
    if (!this.#bus.connected) {
      this.#untold.add(entry.user);
      return;
    }
    const { whole = false, asks = false, added = [], removed = [] } = news;
    this.#bus.announce(
      channelOf(entry.user),
      encodeUserAnnouncement({
        instance: this.#options.instance,
        version: entry.version,
        whole,
        asks,
        connectionsMax: entry.local.at(-1)?.connectionsMax ?? 0,
        added: whole ? entry.whole(this.#nowMs()) : added,
        removed,
      }),
    );
  }

  /** In batches, because there may be many. */
  #catchUp(): void {
    clearTimeout(this.#catchingUp);
    let left = CATCH_UP_USERS;
    for (const user of this.#untold) {
      if (left-- === 0) break;
      this.#untold.delete(user);
      const entry = this.#users.get(user);
      if (entry?.listener !== undefined) this.#tell(entry, { whole: true, asks: true });
    }
    if (this.#untold.size > 0 && this.#bus.connected) this.#catchingUp = setTimeout(() => this.#catchUp(), CATCH_UP_PAUSE_MS);
  }

  #forget(entry: ListeningUser<Owner>): void {
    clearTimeout(entry.judging);
    entry.listener?.stop();
    this.#users.delete(entry.user);
    this.#untold.delete(entry.user);
  }
}

/** If the user's token would be too long, the channel has a digest of the user instead. */
function channelOf(user: string): UserChannel {
  return `users.${nameToken(user)}`;
}

function startsWith(data: Uint8Array, beginning: Uint8Array): boolean {
  return data.length >= beginning.length && beginning.every((byte, at) => data[at] === byte);
}
