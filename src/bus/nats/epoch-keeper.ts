import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamInfo } from '@nats-io/jetstream';
import type { BusNotice } from '../bus.ts';
import type { Predecessor } from '../log.ts';
import { type Anchor, compareWith, decideEpoch, type EpochEntry, type Evidence, epochOf, type LogEnd } from './epoch.ts';
import type { EpochStore, StoredEpoch } from './epoch-store.ts';
import { predecessorsOf } from './lineage.ts';
import { endOf } from './log-bounds.ts';

const DOUBT_PAUSE_MS = 1000;
const VOUCHER_PAUSE_MS = 200;
/** A result of {@link EpochKeeper.confirm} is reused for this long, so many opens at the same time ask once. */
const FRESH_MS = 1000;

/** What this node follows now, if anything. */
export interface Following {
  /** Identifies the follower: another follower has seen other publications. */
  readonly follower: object;
  readonly epoch: string;
  readonly live: boolean;
  readonly anchor: Anchor | undefined;
  /** It follows a mirror. This shows what was in the log, but not what is in it now. */
  readonly ofMirror?: boolean;
}

export interface EpochClock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

export const REAL_CLOCK: EpochClock = {
  nowMs: () => performance.now(),
  sleep: (ms) => sleep(ms),
};

export interface EpochSources {
  readonly namespace: string;
  /** The epoch that all nodes use while NATS is up. */
  readonly store: Pick<EpochStore, 'get' | 'put' | 'ensure'>;
  /** Keeps it while everything is down. Undefined: clients then start over. */
  readonly lives?: Pick<EpochStore, 'get' | 'put'> | undefined;
  /** The current state of the stream, which is created if it is missing. */
  info(): Promise<StreamInfo>;
  /** When the publication at an offset was stored; undefined if there is none. */
  timeOf(offset: number): Promise<number | undefined>;
  following(): Following | undefined;
  readonly clock: EpochClock;
  onNotice(level: BusNotice['level'], message: string): void;
}

/** Determines the current epoch of one log, and stores it for the other nodes. {@link decideEpoch} decides; this class asks and writes. */
export class EpochKeeper {
  readonly #sources: EpochSources;
  #current: EpochEntry | undefined;
  /** What was seen in the epoch `current`: the furthest end, and the last publication delivered. */
  #end = 0;
  #seen: Anchor | undefined;
  /** Followers that continue from what was seen before them. While one of them is live, the log is still the same. */
  #witnesses = new WeakSet<object>();
  #knownFrom = 0;
  /** A follower has proven that the log is not the one of `current`. */
  #voided = false;
  #confirming: Promise<void> | undefined;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #doubts = 0;

  constructor(sources: EpochSources) {
    this.#sources = sources;
  }

  /** As of the last {@link confirm}. */
  get epoch(): string {
    return this.#current === undefined ? '' : epochOf(this.#current);
  }

  /** Earlier epochs whose positions are valid in this one too. */
  get before(): readonly Predecessor[] {
    return this.#current?.before ?? [];
  }

  /** It is unknown whether positions before this offset belong to this history. 0: all do. */
  get knownFrom(): number {
    return this.#knownFrom;
  }

  get begunAtMs(): number {
    return this.#current?.begunAtMs ?? Number.POSITIVE_INFINITY;
  }

  get created(): string {
    return this.#current?.created ?? '';
  }

  /** A follower of this epoch has ended. What it saw is kept as evidence. */
  ended({ follower, epoch, anchor }: Pick<Following, 'follower' | 'epoch' | 'anchor'>): void {
    if (epoch === this.epoch && this.#witnesses.has(follower) && (anchor?.offset ?? 0) >= (this.#seen?.offset ?? 0)) this.#seen = anchor;
  }

  /** A follower of this epoch has found that the log is another one. */
  void(epoch: string): void {
    if (epoch === this.epoch) this.#voided = true;
    this.doubt();
  }

  /** Something happened after which the log may be another one. The next {@link confirm} asks again. */
  doubt(): void {
    this.#doubts++;
    this.#confirmedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Resolves when {@link epoch} is confirmed. Takes some seconds if that is uncertain. @throws BusError */
  async confirm(): Promise<void> {
    // Repeat if a doubt came up meanwhile.
    while (this.#sources.clock.nowMs() - this.#confirmedAtMs >= FRESH_MS) {
      this.#confirming ??= this.#confirm().finally(() => {
        this.#confirming = undefined;
      });
      await this.#confirming;
    }
  }

  /** Stores how far this node has followed, for nodes that start when no running node knows it. @throws BusError */
  async checkpoint(): Promise<void> {
    const { namespace, store } = this.#sources;
    const following = this.#sources.following();
    // A follower that has just begun may be in another epoch than this node knows.
    if (following !== undefined && !this.#witnesses.has(following.follower)) await this.confirm();
    const checkpoint = this.#anchor(following);
    if (checkpoint === undefined || this.#voided) return;
    const stored = await store.get(namespace);
    if (stored === undefined || stored.entry.id !== this.#current?.id) return this.doubt();
    const entry = { ...stored.entry, checkpoint };
    if ((stored.entry.checkpoint?.offset ?? 0) < checkpoint.offset) await store.put(namespace, entry, stored.revision);
    await this.#keep(entry);
  }

  /** Keeps an epoch and its checkpoint. If another node has kept a later checkpoint meanwhile, that one stays. */
  async #keep(entry: EpochEntry): Promise<void> {
    const { namespace, lives } = this.#sources;
    if (lives === undefined) return;
    const kept = await lives.get(namespace);
    const isSame = kept?.entry.id === entry.id && kept.entry.created === entry.created;
    if (isSame && (kept.entry.checkpoint?.offset ?? 0) >= (entry.checkpoint?.offset ?? 0)) return;
    await lives.put(namespace, entry, kept?.revision);
  }

  async #confirm(): Promise<void> {
    const { namespace, store, clock } = this.#sources;
    const startMs = clock.nowMs();
    for (let denials = 0; ; ) {
      const doubts = this.#doubts;
      const current = this.#current?.id;
      // Before the log is asked; otherwise a log that was asked too early would look too short.
      const following = this.#sources.following();
      const stored = await store.get(namespace);
      const info = await this.#sources.info();
      const end = endOf(info);
      const { lastOffset } = end;
      const own = await this.#own(following, end);
      const vouches = this.#isWitness(following);
      if (own === 'shorter' || own === 'different') {
        this.#sources.onNotice('warn', `the log of ${namespace}, which ends at ${lastOffset}, is ${own} than it was`);
      }
      const answer = decideEpoch({
        stored: stored?.entry,
        current: this.#current,
        created: info.created,
        isEmpty: lastOffset === 0,
        own,
        vouches,
        checkpoint: vouches ? 'same' : await this.#compare(stored?.entry.checkpoint, end),
        denials,
        absentMs: clock.nowMs() - startMs,
      });
      if (answer === 'doubt') {
        denials++;
        await clock.sleep(DOUBT_PAUSE_MS);
      } else if (answer === 'await_voucher') await clock.sleep(VOUCHER_PAUSE_MS);
      else if (await this.#settle(answer, stored, info, own)) {
        if (answer === 'take' && own === 'gone' && current === this.#current?.id) this.#forgetBefore(end);
        if (following?.live && following.epoch === this.epoch) this.#witnesses.add(following.follower);
        this.#end = Math.max(this.#end, lastOffset);
        if (doubts === this.#doubts) this.#confirmedAtMs = clock.nowMs();
        return;
      }
    }
  }

  async #own(following: Following | undefined, end: LogEnd): Promise<Evidence> {
    if (this.#voided) return 'different';
    const anchor = this.#anchor(following);
    if (end.lastOffset < Math.max(this.#end, anchor?.offset ?? 0)) return 'shorter';
    // A live follower has just shown it.
    if (this.#isWitness(following)) return 'same';
    const own = await this.#compare(anchor, end);
    if (!following?.live || following.epoch !== this.epoch || (own !== 'same' && own !== 'none')) return own;
    // What was seen before this follower is confirmed, because it follows.
    this.#witnesses.add(following.follower);
    return following.ofMirror ? own : 'same';
  }

  #isWitness(following: Following | undefined): boolean {
    return following?.live === true && !following.ofMirror && following.epoch === this.epoch && this.#witnesses.has(following.follower);
  }

  /** The last publication that was seen in this node's epoch. What a follower sees is ignored if it may have begun in another epoch. */
  #anchor(following: Following | undefined): Anchor | undefined {
    if (following?.epoch !== this.epoch || !this.#witnesses.has(following.follower)) return this.#seen;
    return following.anchor ?? this.#seen;
  }

  /** What was seen has been removed, and nothing followed: the log may have been rolled back and have grown again. */
  #forgetBefore({ lastOffset, lastTimestampNs }: LogEnd): void {
    this.#knownFrom = lastOffset;
    this.#seen = lastTimestampNs === undefined ? undefined : { offset: lastOffset, timestampNs: lastTimestampNs };
  }

  async #compare(anchor: Anchor | undefined, end: LogEnd): Promise<Evidence> {
    if (anchor === undefined) return 'none';
    return compareWith(anchor, end, end.lastOffset < anchor.offset ? undefined : await this.#sources.timeOf(anchor.offset));
  }

  /** @returns false if another node was faster: look again */
  async #settle(answer: 'take' | 'restore' | 'renew', stored: StoredEpoch | undefined, info: StreamInfo, own: Evidence): Promise<boolean> {
    const { namespace, store, onNotice } = this.#sources;
    if (answer === 'take') {
      this.#follow(stored?.entry as EpochEntry);
      return true;
    }
    const entry = answer === 'restore' ? (this.#current as EpochEntry) : await this.#newLife(stored, info, own);
    if (stored === undefined) await store.ensure();
    if (!(await store.put(namespace, entry, stored?.revision))) return false;
    await this.#keep(entry);
    const [last] = entry.before ?? [];
    if (answer === 'restore') onNotice('info', `confirmed the epoch of the log of ${namespace}`);
    else if (last !== undefined)
      onNotice('info', `new epoch of the log of ${namespace}; it continues the previous one up to offset ${last.upTo}`);
    else onNotice(entry.generation === 1 ? 'info' : 'warn', `new epoch of the log of ${namespace}: generation ${entry.generation}`);
    this.#follow(entry);
    return true;
  }

  async #newLife(stored: StoredEpoch | undefined, info: StreamInfo, own: Evidence): Promise<EpochEntry> {
    const { namespace, lives } = this.#sources;
    const last = (await lives?.get(namespace))?.entry;
    // There is evidence against the log, so the new epoch continues no earlier one.
    const isDoubted = stored !== undefined || own === 'different' || own === 'shorter';
    const evidence = isDoubted ? 'different' : await this.#compare(last?.checkpoint, endOf(info));
    const before = predecessorsOf(last, info.created, evidence);
    return {
      created: info.created,
      generation: Math.max(stored?.entry.generation ?? 0, this.#current?.generation ?? 0, last?.generation ?? 0) + 1,
      id: randomBytes(12).toString('base64url'),
      begunAtMs: Date.now(),
      // The next epoch continues from here, if this one sees nothing more.
      ...(before.length > 0 && last?.checkpoint !== undefined && { checkpoint: last.checkpoint }),
      ...(before.length > 0 && { before }),
    };
  }

  #follow(entry: EpochEntry): void {
    if (entry.id !== this.#current?.id || entry.created !== this.#current.created) {
      this.#end = 0;
      this.#seen = undefined;
      this.#knownFrom = 0;
      this.#witnesses = new WeakSet();
      this.#voided = false;
    }
    this.#current = entry;
  }
}
