import { BusError, type BusErrorCode } from '../../src/bus/bus-error.ts';
import type { Follower, Interest, Log, LogState, ReadRange, ReadResult, ScanRange, ScanResult } from '../../src/bus/log.ts';
import type { Publication } from '../../src/bus/publication.ts';
import type { Key, Topic } from '../../src/protocol/topic.ts';

/**
 * A log that does nothing by itself: the test writes it, delivers from it, breaks it, and holds its answers back. Nothing is delivered but by
 * {@link ManualFollower.deliver}. For what a log does by itself see simulated-log.ts.
 */
export class ManualLog implements Log {
  readonly namespace: string;
  readonly images = undefined;
  epoch = 'e1';
  publications: Publication[] = [];
  /** The oldest that is still there. */
  firstOffset = 1;
  /** What every question fails with. */
  failure: Error | undefined;
  /** What following fails with. */
  followFailure: Error | undefined;
  /** Of who follows it. */
  interest: Interest | undefined;
  /** Every one that there was, the latest last. */
  readonly followers: ManualFollower[] = [];
  /** Questions so far, by name. */
  readonly asked = { state: 0, follow: 0, snapshot: 0, read: 0, readLast: 0, scan: 0, lastOffset: 0, offsetBefore: 0 };
  #gate: Promise<void> | undefined;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  get endOffset(): number {
    return this.publications.at(-1)?.offset ?? 0;
  }

  get follower(): ManualFollower {
    const last = this.followers.at(-1);
    if (last === undefined) throw new Error('nothing follows the log');
    return last;
  }

  append(topic: string, value: unknown, { key = null as string | null } = {}): Publication {
    const publication: Publication = {
      topic: topic as Topic,
      key: key as Key | null,
      offset: this.endOffset + 1,
      publishedAtMs: 1,
      payload: Buffer.from(JSON.stringify(value)),
      payloadKind: undefined,
      origin: undefined,
    };
    this.publications.push(publication);
    return publication;
  }

  /** Answers wait from now on. @returns lets them go */
  hold(): () => void {
    let release = () => {};
    this.#gate = new Promise((resolve) => {
      release = () => {
        this.#gate = undefined;
        resolve();
      };
    });
    return release;
  }

  state(): Promise<LogState> {
    return this.#answer('state', () => ({ epoch: this.epoch, firstOffset: this.firstOffset, lastOffset: this.endOffset }));
  }

  async follow(
    after: number,
    onPublication: (publication: Publication) => void,
    onBroken: (error: Error) => void,
    interest?: Interest,
  ): Promise<Follower> {
    this.asked.follow++;
    this.interest = interest;
    await this.#gate;
    const failure = this.failure ?? this.followFailure;
    if (failure !== undefined) throw failure;
    const follower = new ManualFollower(this, after, onPublication, onBroken);
    this.followers.push(follower);
    return follower;
  }

  lastOffset(topic: Topic): Promise<number> {
    return this.#answer('lastOffset', () => this.#of(topic).at(-1)?.offset ?? 0);
  }

  offsetBefore(atMs: number): Promise<number> {
    return this.#answer('offsetBefore', () => {
      const first = this.publications.find(({ publishedAtMs }) => publishedAtMs >= atMs);
      return first === undefined ? this.endOffset : first.offset - 1;
    });
  }

  read(topic: Topic, { after, upTo = Number.POSITIVE_INFINITY, limit }: ReadRange): Promise<ReadResult> {
    return this.#answer('read', () => {
      const found = this.#of(topic).filter(({ offset }) => offset > after && offset <= upTo);
      const anchored = this.firstOffset <= after + 1;
      return {
        publications: found.slice(0, limit),
        anchored,
        provenAfter: anchored ? after : found[0]?.offset,
        more: found.length > limit,
      };
    });
  }

  readLast(topic: Topic, count: number): Promise<readonly Publication[]> {
    return this.#answer('readLast', () => this.#of(topic).slice(-count));
  }

  scan(topic: Topic, { after }: ScanRange, take: (publication: Publication) => void): Promise<ScanResult> {
    return this.#answer('scan', () => {
      const found = this.#of(topic).filter(({ offset }) => offset > after);
      for (const publication of found) take(publication);
      return { offset: found.at(-1)?.offset ?? 0, anchored: this.firstOffset <= after + 1 };
    });
  }

  snapshot(topic: Topic, after = 0): Promise<readonly Publication[]> {
    return this.#answer('snapshot', () => {
      const latest = new Map(this.#of(topic).map((publication) => [publication.key, publication]));
      return [...latest.values()].filter(({ offset }) => offset > after);
    });
  }

  async latest(topics: readonly Topic[]): Promise<readonly (Publication | undefined)[]> {
    return (await Promise.all(topics.map((topic) => this.snapshot(topic)))).map(([publication]) => publication);
  }

  #of(topic: Topic): Publication[] {
    return this.publications.filter((publication) => publication.topic === topic && publication.offset >= this.firstOffset);
  }

  async #answer<T>(name: keyof ManualLog['asked'], compute: () => T): Promise<T> {
    this.asked[name]++;
    await this.#gate;
    if (this.failure !== undefined) throw this.failure;
    return compute();
  }
}

/** Delivers, breaks and loses touch when the test says so. */
export class ManualFollower implements Follower {
  readonly log: ManualLog;
  live = true;
  position: number;
  interruptions = 0;
  isStopped = false;
  /** Reasons, of each time. */
  readonly restarts: string[] = [];
  readonly #onPublication: (publication: Publication) => void;
  readonly #onBroken: (error: Error) => void;
  #waiters: (() => void)[] = [];

  constructor(log: ManualLog, after: number, onPublication: (publication: Publication) => void, onBroken: (error: Error) => void) {
    this.log = log;
    this.position = after;
    this.#onPublication = onPublication;
    this.#onBroken = onBroken;
  }

  /** All that the log has beyond its position. */
  deliver(): void {
    for (const publication of this.log.publications.filter(({ offset }) => offset > this.position)) {
      this.position = publication.offset;
      this.#onPublication(publication);
    }
  }

  break(code: BusErrorCode): void {
    this.live = false;
    this.#onBroken(new BusError(code, code));
  }

  /** Loses touch with its log, or has it again. */
  setLive(live: boolean): void {
    if (this.live && !live) this.interruptions++;
    this.live = live;
    if (live) for (const tell of this.#waiters.splice(0)) tell();
  }

  whenLive(timeoutMs: number): Promise<boolean> {
    if (this.live) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(this.live), timeoutMs);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  readonly filteredTopics = undefined;
  /** Topics that it was asked to cover. */
  readonly covered: Topic[] = [];
  /** What it waits for before it covers one. */
  covering: Promise<void> = Promise.resolve();

  async cover(topics: readonly Topic[]): Promise<void> {
    this.covered.push(...topics);
    await this.covering;
  }

  restart(reason: string): void {
    this.restarts.push(reason);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }
}
