import { createHash } from 'node:crypto';
import type { Bus, ChannelReceiver, Listener, UserChannel } from '../../bus/bus.ts';
import type { Config } from '../../config/schema.ts';
import { tokenOfUser } from '../../protocol/user-topic.ts';
import { beginningOf, decodeUserAnnouncement, encodeUserAnnouncement } from './announcement.ts';
import { HeldUser, type HolderNews, type LocalConnection } from './held-user.ts';

/** A holder that was heard so lately has said the truth; others are asked before anybody is closed for them. */
const FRESH_MS = 1000;
/** Time for other holders to answer. With `refuse` a connect takes that much longer, and 100 ms at most. */
const ANSWER_MS = 80;
/** With `refuse`, a connection may be refused so long after it was let in, when news comes late. */
const YOUNG_MS = 2000;
/** After a reconnect to the bus, users whose connections changed meanwhile are announced at this pace. */
const CATCH_UP_USERS = 500;
const CATCH_UP_PAUSE_MS = 20;

export interface ConnectionLimitOptions<Owner> {
  readonly config: Pick<Config, 'limits'>;
  readonly bus: Pick<Bus, 'announce' | 'listenToUser' | 'onConnectedChange' | 'connected'>;
  /** Of the process. */
  readonly instance: string;
  /** Closes the connection: its user has too many. It is not counted any more. */
  readonly close: (owner: Owner, connectionId: string) => void;
  /** Milliseconds, from any moment on. */
  readonly nowMs?: () => number;
  /** Milliseconds since 1970, by a clock that may be wrong. */
  readonly wallMs?: () => number;
}

export interface UserConnection<Owner> {
  readonly user: string;
  readonly connectionId: string;
  readonly owner: Owner;
  /** Of the token; undefined: the config says. 0: any number. */
  readonly connectionsMax?: number | undefined;
}

/** A user that this node holds connections of. One object with what hears the user's channel, since there are very many. */
class Held<Owner> extends HeldUser<Owner> implements ChannelReceiver {
  readonly user: string;
  readonly #limit: ConnectionLimit<Owner>;
  listener: Pick<Listener, 'stop'> | undefined;
  /** Others have been asked, and are judged when this fires. */
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
 * Bounds how many connections a user has on all nodes. Nodes that hold connections of a user tell each other, on a channel of the user's; nobody keeps a list
 * of all. As many users are remembered as are connected here.
 */
export class ConnectionLimit<Owner> {
  readonly #options: ConnectionLimitOptions<Owner>;
  readonly #limits: Config['limits'];
  readonly #bus: ConnectionLimitOptions<Owner>['bus'];
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  readonly #ownBeginning: Uint8Array;
  readonly #users = new Map<string, Held<Owner>>();
  /** Changed while the bus was away. */
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

  /** Users that have a connection here. */
  get size(): number {
    return this.#users.size;
  }

  /** Of the users that have a connection here. */
  users(): Iterable<string> {
    return this.#users.keys();
  }

  /** Connections that the user has here. */
  countOf(user: string): number {
    return this.#users.get(user)?.local.length ?? 0;
  }

  /**
   * A connection belongs to its user from now on.
   * @returns resolves with false where it is refused, after 100 ms at most. With `closeOldest` it is never refused, and this resolves at once.
   */
  async add({ user, connectionId, owner, connectionsMax = this.#limits.connectionsPerUserMax }: UserConnection<Owner>): Promise<boolean> {
    const known = this.#users.get(user);
    const held: Held<Owner> = known ?? new Held(user, this, this.#options.instance);
    this.#users.set(user, held);
    const { connectionsPerUserMax, tooManyConnections } = this.#limits;
    const connection = held.add({ connectionId, owner, sinceMs: this.#nowMs(), connectionsMax }, this.#wallMs());
    // Without a bound nobody need be told; but where there is one, those that a token frees from it count too.
    if (connectionsMax === 0 && connectionsPerUserMax === 0 && held.listener === undefined) return true;
    const begins = held.listener === undefined;
    if (begins) held.listener = this.#bus.listenToUser(channelOf(user), held);
    this.#tell(held, begins ? { whole: true, asks: true } : { added: [{ rank: connection.rank, ageMs: 0 }] });
    if (tooManyConnections === 'closeOldest') {
      this.#judge(held);
      return true;
    }
    return this.#admits(held, connection, begins);
  }

  remove(user: string, connectionId: string): void {
    const held = this.#users.get(user);
    const removed = held?.remove(connectionId);
    if (held === undefined || removed === undefined) return;
    if (held.listener !== undefined) this.#tell(held, { removed: [removed.rank] });
    if (held.isEmpty) this.#forget(held);
  }

  /** A worker is gone, and its connections with it. */
  removeOwner(owner: Owner): void {
    for (const [user, { local }] of [...this.#users]) {
      for (const { connectionId } of local.filter((one) => one.owner === owner)) this.remove(user, connectionId);
    }
  }

  /** Others need not wonder what has become of this node's. */
  stop(): void {
    this.#stopWatchingBus();
    clearTimeout(this.#catchingUp);
    for (const held of [...this.#users.values()]) {
      held.local = [];
      if (held.listener !== undefined) this.#tell(held, { whole: true });
      this.#forget(held);
    }
  }

  async #admits(held: Held<Owner>, connection: LocalConnection<Owner>, begins: boolean): Promise<boolean> {
    const refused = () => held.isSurplusNewest(connection, this.#bus.connected ? undefined : Number.POSITIVE_INFINITY);
    // Who holds the user already knows of the others.
    if (begins && !refused() && this.#bus.connected) await untilAnswered(connection);
    if (!refused()) return true;
    this.remove(held.user, connection.connectionId);
    return false;
  }

  /** For {@link Held}: another node, or this one, has announced something of the user. */
  hear(held: Held<Owner>, data: Uint8Array): void {
    if (held.isEmpty || startsWith(data, this.#ownBeginning)) return;
    const news = decodeUserAnnouncement(data);
    if (news === undefined) return;
    const { gap, raised } = held.learn(news, this.#nowMs());
    if (raised || gap || news.asks) this.#tell(held, { whole: true, asks: gap });
    this.#judge(held);
  }

  /** Closes what is past the bound, for what is known to be true now; where that is not sure, others are asked first. */
  #judge(held: Held<Owner>): void {
    if (this.#limits.tooManyConnections === 'refuse') return this.#judgeYoung(held);
    const nowMs = this.#nowMs();
    const sure = held.surplusOldest(this.#bus.connected ? nowMs - FRESH_MS : Number.POSITIVE_INFINITY);
    for (const one of sure) this.#close(held, one);
    if (!this.#bus.connected || held.judging !== undefined || held.surplusOldest().length === 0) return;
    this.#tell(held, { whole: true, asks: true });
    held.judging = setTimeout(() => {
      held.judging = undefined;
      held.forgetUnheard(nowMs);
      this.#judge(held);
    }, ANSWER_MS);
  }

  /** What was let in while others were, at the same time. */
  #judgeYoung(held: Held<Owner>): void {
    const nowMs = this.#nowMs();
    for (const one of [...held.local].reverse()) {
      if (nowMs - one.sinceMs > YOUNG_MS) break;
      if (!held.isSurplusNewest(one, nowMs - FRESH_MS)) continue;
      if (one.wake === undefined) this.#close(held, one);
      else one.wake();
    }
  }

  /** It counts no more, however long its socket takes to close. */
  #close({ user }: Held<Owner>, { owner, connectionId }: LocalConnection<Owner>): void {
    this.remove(user, connectionId);
    this.#options.close(owner, connectionId);
  }

  #tell(held: Held<Owner>, news: Partial<Pick<HolderNews, 'whole' | 'added' | 'removed'>> & { readonly asks?: boolean }): void {
    held.version++;
    if (!this.#bus.connected) {
      this.#untold.add(held.user);
      return;
    }
    const { whole = false, asks = false, added = [], removed = [] } = news;
    this.#bus.announce(
      channelOf(held.user),
      encodeUserAnnouncement({
        instance: this.#options.instance,
        version: held.version,
        whole,
        asks,
        connectionsMax: held.local.at(-1)?.connectionsMax ?? 0,
        added: whole ? held.whole(this.#nowMs()) : added,
        removed,
      }),
    );
  }

  /** A part at a time: there may be very many. */
  #catchUp(): void {
    clearTimeout(this.#catchingUp);
    let left = CATCH_UP_USERS;
    for (const user of this.#untold) {
      if (left-- === 0) break;
      this.#untold.delete(user);
      const held = this.#users.get(user);
      if (held?.listener !== undefined) this.#tell(held, { whole: true, asks: true });
    }
    if (this.#untold.size > 0 && this.#bus.connected) this.#catchingUp = setTimeout(() => this.#catchUp(), CATCH_UP_PAUSE_MS);
  }

  #forget(held: Held<Owner>): void {
    clearTimeout(held.judging);
    held.listener?.stop();
    this.#users.delete(held.user);
    this.#untold.delete(held.user);
  }
}

/** Or until there are answers enough to refuse it. */
async function untilAnswered(connection: LocalConnection<unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ANSWER_MS);
    connection.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  connection.wake = undefined;
}

/** A user whose name has no token, since that would be too long, has a digest of it. */
function channelOf(user: string): UserChannel {
  return `users.${tokenOfUser(user) ?? `__h${createHash('sha256').update(user).digest('base64url')}`}`;
}

function startsWith(data: Uint8Array, beginning: Uint8Array): boolean {
  return data.length >= beginning.length && beginning.every((byte, at) => data[at] === byte);
}
