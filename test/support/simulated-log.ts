import { BusError } from '../../src/bus/bus-error.ts';
import type { Follower, Log, LogState, ReadRange, ReadResult, ScanRange, ScanResult } from '../../src/bus/log.ts';
import type { Anchor } from '../../src/bus/nats/epoch.ts';
import { EpochKeeper, type Following } from '../../src/bus/nats/epoch-keeper.ts';
import type { StoredEpoch } from '../../src/bus/nats/epoch-store.ts';
import { FollowerCore, type Leg, type LogBounds } from '../../src/bus/nats/follower-core.ts';
import type { Publication } from '../../src/bus/publication.ts';
import type { Tags } from '../../src/protocol/tags.ts';
import type { Topic } from '../../src/protocol/topic.ts';

/** One publication of a history, whether it is still kept or not. */
export interface Written {
  readonly publication: Publication;
  /** No other one's, in any history. */
  readonly uid: number;
  readonly timestampNs: number;
}

export interface SimulatedLogOptions {
  readonly namespace: string;
  readonly keyed: boolean;
  /** Of a keyed one: publications are changes, so none of them supersedes another. */
  readonly patched?: boolean;
  /** Kept per topic, per key of a keyed one. */
  readonly countMax: number;
  /** Publications are so much larger than their number. */
  readonly padBytes?: number;
  /** What is published; `uid` is a member of it. */
  readonly contentOf?: ((uid: number) => unknown) | undefined;
  /** What publications are marked with. */
  readonly tagsOf?: ((uid: number) => Tags) | undefined;
  /** A few turns of the loop: answers come late, and not in the order of the questions. */
  readonly delay: () => Promise<void>;
}

/**
 * A stream and its server as a test has them in hand: what is kept, what is under way, what is lost, put back or answered late. Followers go by the
 * real follower's core, epochs by the real keeper; what this replaces is NATS.
 */
export class SimulatedLog implements Log {
  readonly namespace: string;
  readonly images = undefined;
  /** Every history that there ever was, the present one last; nothing is ever taken out of them. */
  readonly lives: Written[][] = [[]];
  /** In touch with the server. */
  connected = true;
  /** A new leader, which does not know the last so many yet. */
  shortBy = 0;
  readonly #options: SimulatedLogOptions;
  readonly #followers = new Set<SimulatedFollower>();
  readonly #keeper: EpochKeeper;
  #kept: Written[] = [];
  #bucket: StoredEpoch | undefined;
  #expiredUpTo = 0;
  #nextUid = 1;
  #nowMs = 0;

  constructor(options: SimulatedLogOptions) {
    this.#options = options;
    this.namespace = options.namespace;
    this.#keeper = new EpochKeeper({
      namespace: options.namespace,
      store: {
        get: async () => this.#answer(() => this.#bucket),
        put: (_, entry, revision) =>
          this.#answer(() => {
            if (this.#bucket?.revision !== revision) return false;
            this.#bucket = { entry, revision: (revision ?? 0) + 1 };
            return true;
          }),
        ensure: async () => undefined,
      },
      info: () => this.#answer(() => this.#info()) as never,
      timeOf: (offset) => this.#answer(() => this.#kept.find(({ publication }) => publication.offset === offset)?.timestampNs),
      following: () => this.#following(),
      clock: {
        nowMs: () => this.#nowMs,
        sleep: async (ms) => {
          this.#nowMs += ms;
          await options.delay();
        },
      },
      onNotice: () => undefined,
    });
  }

  get keyed(): boolean {
    return this.#options.keyed;
  }

  get patched(): boolean {
    return this.#options.patched === true;
  }

  get history(): Written[] {
    return this.lives.at(-1) as Written[];
  }

  get endOffset(): number {
    return this.history.at(-1)?.publication.offset ?? 0;
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  get epoch(): string {
    return this.#keeper.epoch;
  }

  /** Everybody who follows it has looked at it since it was last cut off: a rollback has been noticed. */
  get isFollowed(): boolean {
    return this.#followers.size > 0 && [...this.#followers].every(({ live }) => live);
  }

  // What a test does to it.

  /** @param removed of a keyed log: the key is gone */
  append(topic: Topic, key: Publication['key'], removed = false): void {
    const uid = this.#nextUid++;
    const { padBytes, contentOf, tagsOf } = this.#options;
    const plain = padBytes === undefined ? uid : { uid, pad: 'x'.repeat(padBytes) };
    const text = JSON.stringify(contentOf === undefined ? plain : contentOf(uid));
    const publication: Publication = {
      topic,
      key,
      offset: this.endOffset + 1,
      publishedAtMs: uid,
      payload: Buffer.from(removed ? '' : text),
      payloadKind: undefined,
      origin: undefined,
      ...(tagsOf !== undefined && { tags: tagsOf(uid) }),
    };
    this.history.push({ publication, uid, timestampNs: uid * 1e6 });
    this.#keep();
  }

  /** Age or size take the oldest. */
  expire(count: number): void {
    this.#expiredUpTo = this.#kept.slice(0, count).at(-1)?.publication.offset ?? this.#expiredUpTo;
    this.#keep();
  }

  /** The server is killed, and comes back without the last so many, whose offsets will be given again. Its bucket may be gone or not. */
  rollBack(count: number, bucketGone: boolean): void {
    this.cutOff();
    this.lives.push(this.history.slice(0, Math.max(0, this.history.length - count)));
    // Offsets that are given again are those of new publications.
    this.#expiredUpTo = Math.min(this.#expiredUpTo, this.endOffset);
    this.#keep();
    if (bucketGone) this.#bucket = undefined;
  }

  /** The server is killed, or the network is. */
  cutOff(): void {
    this.connected = false;
    this.#keeper.doubt();
    for (const follower of this.#followers) follower.end();
  }

  /** Stops the log permanently. Waiting calls to follow it end. */
  async stop(): Promise<void> {
    this.cutOff();
    for (const follower of [...this.#followers]) await follower.stop();
  }

  reconnect(): void {
    this.connected = true;
    this.#keeper.doubt();
    for (const follower of this.#followers) void follower.resume();
  }

  /** What consumers have under way arrives: so many publications, one of them lost on the way. */
  deliver(count: number, lost: boolean): void {
    for (const follower of [...this.#followers]) follower.deliver(count, lost);
  }

  /** Consumers end for no reason. */
  restartConsumers(): void {
    for (const follower of [...this.#followers]) follower.restart();
  }

  describe(): unknown {
    return {
      keeper: this.#keeper.epoch,
      connected: this.connected,
      end: this.endOffset,
      followers: [...this.#followers].map((f) => f.describe()),
    };
  }

  /** Keeps what the history alone decides: a server that lost its last publications also lost the evictions that they caused. */
  #keep(): void {
    const counts = new Map<string, number>();
    this.#kept = this.history.filter(({ publication: { offset } }) => offset > this.#expiredUpTo);
    this.#kept = this.#kept
      .reverse()
      .filter(({ publication: { topic, key } }) => {
        const count = (counts.get(`${topic} ${key}`) ?? 0) + 1;
        counts.set(`${topic} ${key}`, count);
        return count <= this.#options.countMax;
      })
      .reverse();
  }

  // The contract.

  async state(): Promise<LogState> {
    await this.#keeper.confirm();
    return this.#answer(() => {
      const { state } = this.#info();
      const lastOffset = Math.max(0, state.last_seq - this.shortBy);
      const { epoch, knownFrom } = this.#keeper;
      return { epoch, knownFrom, firstOffset: state.messages === 0 ? state.last_seq + 1 : state.first_seq, lastOffset };
    });
  }

  async follow(
    afterOffset: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
  ): Promise<Follower> {
    const { epoch } = this.#keeper;
    const follower = new SimulatedFollower(this, afterOffset, {
      epoch,
      onPublication,
      onBroken: (error) => {
        if (error.code === 'log_rolled_back') this.#keeper.void(epoch);
        onBroken(error);
      },
      onLive: () => {
        this.#keeper.doubt();
        void this.#keeper.confirm().catch(() => undefined);
      },
      onEnded: () => {
        this.#followers.delete(follower);
        this.#keeper.ended({ epoch, follower, anchor: follower.anchor });
      },
    });
    this.#followers.add(follower);
    await this.#answer(() => undefined);
    await follower.resume();
    if (follower.failure === undefined) await follower.whenLive();
    if (follower.failure !== undefined) throw follower.failure;
    return follower;
  }

  lastOffset(topic: Topic): Promise<number> {
    return this.#answer(() => this.#of(topic).at(-1)?.offset ?? 0);
  }

  offsetBefore(atMs: number): Promise<number> {
    return this.#answer(() => {
      const first = this.#kept.find(({ publication }) => publication.publishedAtMs >= atMs);
      return first === undefined ? this.endOffset : first.publication.offset - 1;
    });
  }

  read(topic: Topic, { after, upTo = Number.POSITIVE_INFINITY, limit }: ReadRange): Promise<ReadResult> {
    return this.#answer(() => {
      const found = this.#of(topic).filter(({ offset }) => offset > after && offset <= upTo);
      const publications = found.slice(0, limit);
      const anchored = this.#isWhole(topic, after);
      const provenAfter = anchored ? after : this.keyed ? undefined : publications[0]?.offset;
      return { publications, anchored, provenAfter, more: found.length > limit };
    });
  }

  readLast(topic: Topic, count: number): Promise<readonly Publication[]> {
    return this.#answer(() => this.#of(topic).slice(-count));
  }

  scan(topic: Topic, { after }: ScanRange, take: (publication: Publication) => void): Promise<ScanResult> {
    return this.#answer(() => {
      const found = this.#of(topic).filter(({ offset }) => offset > after);
      for (const publication of found) take(publication);
      return { offset: found.at(-1)?.offset ?? 0, anchored: this.#isWhole(topic, after) };
    });
  }

  snapshot(topic: Topic, after = 0): Promise<readonly Publication[]> {
    return this.#answer(() => {
      const latest = new Map(this.#of(topic).map((publication) => [publication.key, publication]));
      return [...latest.values()].filter(({ offset }) => offset > after).sort((a, b) => a.offset - b.offset);
    });
  }

  /** Not all at the same moment. */
  async latest(topics: readonly Topic[]): Promise<readonly (Publication | undefined)[]> {
    return (await Promise.all(topics.map((topic) => this.snapshot(topic)))).map(([publication]) => publication);
  }

  /** As the server is now, for followers. */
  get bounds(): LogBounds {
    const firstOffset = this.#kept[0]?.publication.offset ?? this.endOffset + 1;
    return { firstOffset, lastOffset: this.endOffset, lastTimestampNs: this.history.at(-1)?.timestampNs, mayHaveExpired: this.keyed };
  }

  from(offset: number): Written[] {
    return this.#kept.filter(({ publication }) => publication.offset >= offset);
  }

  ask<T>(compute: () => T): Promise<T> {
    return this.#answer(compute);
  }

  #of(topic: Topic): Publication[] {
    return this.#kept.filter(({ publication }) => publication.topic === topic).map(({ publication }) => publication);
  }

  /** Is everything of the topic after the offset still there? */
  #isWhole(topic: Topic, after: number): boolean {
    const kept = new Set(this.#kept);
    return this.history.every((written) => {
      const { publication } = written;
      return publication.topic !== topic || publication.offset <= after || kept.has(written);
    });
  }

  #info() {
    const { firstOffset, lastOffset } = this.bounds;
    const last_ts = new Date((this.history.at(-1)?.timestampNs ?? 0) / 1e6).toISOString();
    return { created: 'once', state: { messages: this.#kept.length, first_seq: firstOffset, last_seq: lastOffset, last_ts } };
  }

  #following(): Following | undefined {
    let furthest: Following | undefined;
    for (const follower of this.#followers) {
      const { epoch, live, anchor } = follower;
      if (furthest === undefined || live) furthest = { follower, epoch, live, anchor };
    }
    return furthest;
  }

  /** Worked out now or a little later, and told later still. */
  async #answer<T>(compute: () => T): Promise<T> {
    if (!this.connected) throw unreachable();
    await this.#options.delay();
    if (!this.connected) throw unreachable();
    const answer = compute();
    await this.#options.delay();
    if (!this.connected) throw unreachable();
    return answer;
  }
}

interface SimulatedFollowerEvents {
  readonly epoch: string;
  onPublication(publication: Publication): void;
  onBroken(error: BusError): void;
  onLive(): void;
  onEnded(): void;
}

/** A follower as the NATS bus has them, without NATS. */
class SimulatedFollower implements Follower {
  live = false;
  interruptions = 0;
  failure: BusError | undefined;
  readonly #log: SimulatedLog;
  readonly #core: FollowerCore;
  readonly #events: SimulatedFollowerEvents;
  #consumer: { next: number; seq: number } | undefined;
  #leg: Leg | undefined;
  #stopped = false;
  #begun = false;
  #waiters: ((live: boolean) => void)[] = [];

  constructor(log: SimulatedLog, afterOffset: number, events: SimulatedFollowerEvents) {
    this.#log = log;
    this.#core = new FollowerCore(afterOffset, log.keyed && !log.patched);
    this.#events = events;
  }

  get epoch(): string {
    return this.#events.epoch;
  }

  get position(): number {
    return this.#core.position;
  }

  get anchor(): Anchor | undefined {
    return this.#core.anchor;
  }

  async whenLive(): Promise<boolean> {
    if (this.live || this.#stopped) return this.live;
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  describe(): unknown {
    return {
      live: this.live,
      epoch: this.epoch,
      position: this.position,
      consumer: this.#consumer,
      stopped: this.#stopped,
      begun: this.#begun,
      failure: this.failure?.code,
      anchor: this.anchor,
    };
  }

  restart(): void {
    this.end();
    void this.resume();
  }

  readonly filteredTopics = undefined;

  async cover(): Promise<void> {}

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.end();
    for (const resolve of this.#waiters.splice(0)) resolve(false);
    this.#events.onEnded();
  }

  end(): void {
    if (this.live) this.interruptions++;
    this.live = false;
    this.#consumer = undefined;
  }

  /** Looks at the log and makes a consumer. */
  async resume(): Promise<void> {
    if (this.#stopped || this.#consumer !== undefined || !this.#log.connected) return;
    const bounds = await this.#log.ask(() => this.#log.bounds).catch(() => undefined);
    if (bounds === undefined || this.#stopped || this.#consumer !== undefined) return;
    if (!this.#begun && this.#core.anchor === undefined && this.position > 0) {
      const [found] = this.#log.from(this.position);
      if (this.position === bounds.lastOffset && bounds.lastTimestampNs !== undefined)
        this.#core.setAnchor({ offset: this.position, timestampNs: bounds.lastTimestampNs });
      else if (found?.publication.offset === this.position) this.#core.setAnchor({ offset: this.position, timestampNs: found.timestampNs });
    }
    const check = this.#core.check(bounds);
    if (check === 'rolled_back') return this.#break('log_rolled_back');
    if (check === 'gap') return this.#break('log_gap');
    this.#leg = this.#core.begin(bounds);
    this.#consumer = { next: this.#leg.startSeq, seq: 0 };
    this.#goLiveIfSure();
  }

  deliver(count: number, lost: boolean): void {
    for (let left = count, losing = lost; left > 0 && this.#consumer !== undefined && !this.#stopped; left--) {
      const consumer = this.#consumer;
      const [written] = this.#log.from(consumer.next);
      if (written === undefined) {
        // As an idle heartbeat: it says how many there were.
        if (!this.#leg?.agrees(consumer.seq)) this.restart();
        return;
      }
      const { publication, timestampNs } = written;
      consumer.next = publication.offset + 1;
      consumer.seq++;
      if (losing && left <= 2) {
        losing = false;
        continue;
      }
      const verdict = this.#core.accept(
        this.#leg as Leg,
        { streamSeq: publication.offset, consumerSeq: consumer.seq, timestampNs, pending: 0 },
        () => this.#log.bounds.mayHaveExpired,
      );
      if (verdict === 'deliver') this.#events.onPublication(publication);
      else if (verdict === 'restart') return this.restart();
      else if (verdict === 'gap') return this.#break('log_gap');
      else if (verdict === 'rolled_back') return this.#break('log_rolled_back');
      this.#goLiveIfSure();
    }
  }

  #goLiveIfSure(): void {
    if (this.live || !this.#leg?.isSure) return;
    this.live = true;
    this.#begun = true;
    for (const resolve of this.#waiters.splice(0)) resolve(true);
    this.#events.onLive();
  }

  #break(code: 'log_gap' | 'log_rolled_back'): void {
    if (this.#stopped) return;
    this.failure = new BusError(code, code);
    const { failure } = this;
    void this.stop();
    if (this.#begun) queueMicrotask(() => this.#events.onBroken(failure));
  }
}

function unreachable(): BusError {
  return new BusError('bus_unreachable', 'cut off');
}
