import { setTimeout as sleep } from 'node:timers/promises';
import type { Msg } from '@nats-io/transport-node';
import { type BusCounters, BusError, type BusErrorCode, type Follower, type Publication } from '../bus.ts';
import { deliver } from '../deliver.ts';
import { backoffMs } from './backoff.ts';
import type { Connection } from './connection.ts';
import type { Delivery } from './delivery.ts';
import { type Anchor, DENIALS_MIN, type LogEnd } from './epoch.ts';
import { isStreamNotFound } from './errors.ts';
import { FollowerCore } from './follower-core.ts';
import { boundsOf, endOf, mayHaveExpired } from './log-bounds.ts';
import { OrderedConsumer } from './ordered-consumer.ts';
import { deniedIn, describeDenied } from './permissions.ts';
import type { PublicationReader } from './publication-reader.ts';
import { nanosecondsOf } from './stored-message.ts';
import type { Streams } from './streams.ts';

/** Timeout of a follower's request, which is then repeated, and doubled after every third: during a leader change some requests get no answer. */
const FIRST_TIMEOUT_MS = 1000;
const ATTEMPTS_PER_TIMEOUT = 3;
const DENIAL_PAUSE_MS = 1000;
/** The bus logs it once for all followers. */
const CONNECTION_LOST = 'the connection was lost';

export interface FollowerOptions {
  readonly namespace: string;
  readonly stream: string;
  readonly keyed: boolean;
  /** A mirror that ends before our position is behind, not rolled back: its origin has what is missing. */
  readonly mayBeBehind: boolean;
  /** Creation time of the stream in the epoch to follow. */
  readonly created: string;
  readonly afterOffset: number;
  readonly requestTimeoutMs: number;
  readonly onPublication: (publication: Publication) => void;
  readonly onBroken: (error: BusError) => void;
  readonly onNotice: (message: string) => void;
  /** It follows, or follows again, and the log is still the same. */
  readonly onLive: () => void;
  /** It has stopped, by itself or on request. */
  readonly onEnded: () => void;
}

interface Context {
  readonly connection: Connection;
  readonly streams: Streams;
  readonly reader: PublicationReader;
  readonly counters: BusCounters;
  readonly nowMs: () => number;
}

/**
 * Follows a stream through restarts, leader changes and lost messages: with one ordered consumer after the other, each from where the last one ended. {@link
 * FollowerCore} decides which deliveries are valid.
 */
export class NatsFollower implements Follower {
  readonly #options: FollowerOptions;
  readonly #context: Context;
  readonly #core: FollowerCore;
  readonly #abort = new AbortController();
  readonly #waiters = new Set<(live: boolean) => void>();
  #failure: BusError | undefined;
  /** Created once, because every delivery carries it. */
  readonly #mayHaveExpired = () => mayHaveExpired(this.#core.timestampNs, this.#maxAgeNs, this.#context.nowMs());
  #maxAgeNs = 0;
  #begun = false;
  #live = false;
  #interruptions = 0;
  #denials = 0;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #endConsumer: ((reason: string) => void) | undefined;

  constructor(context: Context, options: FollowerOptions) {
    this.#context = context;
    this.#options = options;
    this.#core = new FollowerCore(options.afterOffset, options.keyed);
  }

  get position(): number {
    return this.#core.position;
  }

  get live(): boolean {
    return this.#live;
  }

  get interruptions(): number {
    return this.#interruptions;
  }

  get anchor(): Anchor | undefined {
    return this.#core.anchor;
  }

  whenLive(timeoutMs: number): Promise<boolean> {
    if (this.#live || this.#abort.signal.aborted) return Promise.resolve(this.#live);
    return new Promise((resolve) => {
      const done = (live: boolean) => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve(live);
      };
      const timer = setTimeout(() => done(false), timeoutMs);
      this.#waiters.add(done);
    });
  }

  /** Stop trusting what is followed. */
  abandon(reason: string): void {
    this.#break('log_gone', reason);
    this.#endConsumer?.(reason);
  }

  restart(reason: string): void {
    this.#endConsumer?.(reason);
  }

  /** Resolves when publications are delivered. @throws BusError as the contract says for `follow` */
  async begin(): Promise<void> {
    const begun = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const timer = setTimeout(
      () => this.#break('bus_unreachable', `the log of ${this.#options.namespace} cannot be followed now`),
      2 * this.#options.requestTimeoutMs,
    );
    void this.#run().finally(() => {
      this.#setLive(false);
      for (const done of [...this.#waiters]) done(false);
      this.#options.onEnded();
    });
    await begun.finally(() => clearTimeout(timer));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#settle?.reject(new BusError('bus_closed', 'the bus is stopped'));
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let attempt = 0;
    while (!signal.aborted) {
      if (!(await this.#context.connection.whenConnected()) || signal.aborted) return;
      const ended = await this.#follow(attempt).catch((error: Error) => this.#explain(error));
      if (signal.aborted) return;
      this.#context.counters.followerRestarts++;
      if (ended.reason !== CONNECTION_LOST) {
        this.#options.onNotice(`following ${this.#options.stream} resumes after offset ${this.position}: ${ended.reason}`);
      }
      attempt = ended.wasLive ? 0 : attempt + 1;
      await sleep(this.#denials > 0 ? DENIAL_PAUSE_MS : backoffMs(attempt), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Runs one consumer. Resolves when it has ended. */
  async #follow(attempt: number): Promise<{ reason: string; wasLive: boolean }> {
    const { connection, streams } = this.#context;
    const { stream, created } = this.#options;
    const jsm = await streams.hastyManager(FIRST_TIMEOUT_MS * 2 ** Math.min(Math.floor(attempt / ATTEMPTS_PER_TIMEOUT), 8));
    const info = await connection.request(() => jsm.streams.info(stream));
    if (info.created !== created) return this.#break('log_gone', 'it was recreated');
    await this.#findAnchor(endOf(info), (seq) => connection.request(() => jsm.streams.getMessage(stream, { seq })));
    const bounds = boundsOf(info, this.#core.timestampNs, this.#context.nowMs());
    const check = this.#core.check(bounds);
    if (check === 'rolled_back' && this.#options.mayBeBehind)
      return { reason: `it is behind: it ends at ${bounds.lastOffset}`, wasLive: false };
    if (check === 'rolled_back') return this.#deny('log_rolled_back', `it ends at ${bounds.lastOffset}, before ${this.position}`);
    if (check === 'gap') return this.#break('log_gap', `it begins at ${bounds.firstOffset}, after ${this.position + 1}`);
    this.#denials = 0;
    this.#maxAgeNs = info.config.max_age;
    return this.#consume((consumer) => connection.request(() => consumer.start(jsm, this.#core.begin(bounds))));
  }

  /** Known from the start, so that even the first interruption cannot hide a rollback. */
  async #findAnchor(end: LogEnd, get: (seq: number) => Promise<{ readonly timestamp: string } | null>): Promise<void> {
    const { position, anchor } = this.#core;
    // What is there after an interruption says nothing about what was there before.
    if (this.#begun || anchor !== undefined || position === 0 || position > end.lastOffset) return;
    if (position === end.lastOffset && end.lastTimestampNs !== undefined) return this.#core.setAnchor(end.lastTimestampNs);
    const found = await get(position);
    if (found !== null) this.#core.setAnchor(nanosecondsOf(found.timestamp));
  }

  async #consume(start: (consumer: OrderedConsumer) => Promise<void>): Promise<{ reason: string; wasLive: boolean }> {
    const { connection } = this.#context;
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      let started = false;
      const goLiveIfSure = () => {
        if (started && !this.#live && this.#core.isSure) this.#goLive();
      };
      const cleanUp = () => {
        this.#endConsumer = undefined;
        this.#setLive(false);
        consumer.stop();
        stopWatching();
        signal.removeEventListener('abort', aborted);
      };
      const end = (reason: string) => {
        cleanUp();
        resolve({ reason, wasLive: true });
      };
      const aborted = () => end('stopped');
      this.#endConsumer = end;
      const stopWatching = connection.onChange(() => end(CONNECTION_LOST));
      const consumer = new OrderedConsumer(
        connection,
        { stream: this.#options.stream, api: this.#context.streams.api },
        {
          onMessage: (message, delivery) => {
            const trouble = this.#receive(message, delivery);
            if (trouble !== undefined) end(trouble);
            else goLiveIfSure();
          },
          onHeartbeat: (lastConsumerSeq) => {
            if (!this.#core.agrees(lastConsumerSeq)) end('a publication was lost on the way');
          },
          onEnded: end,
        },
      );
      signal.addEventListener('abort', aborted);
      start(consumer).then(
        () => {
          started = true;
          goLiveIfSure();
        },
        (error) => {
          cleanUp();
          reject(error);
        },
      );
    });
  }

  /** @returns why this consumer must end */
  #receive(message: Msg, delivery: Delivery): string | undefined {
    const verdict = this.#core.accept(delivery, this.#mayHaveExpired);
    switch (verdict) {
      case 'deliver': {
        const publication = this.#context.reader.fromLog(message, delivery);
        if (publication !== undefined) deliver(this.#options.onPublication, publication);
        return undefined;
      }
      case 'drop':
        return undefined;
      case 'restart':
        return 'a publication was lost on the way';
      case 'gap':
        return this.#break('log_gap', `after ${this.position} comes ${delivery.streamSeq}`).reason;
      case 'rolled_back':
        return this.#break('log_rolled_back', `there is another publication at ${this.position}`).reason;
    }
  }

  #goLive(): void {
    if (this.#abort.signal.aborted) return;
    this.#begun = true;
    this.#setLive(true);
    this.#settle?.resolve();
    this.#options.onLive();
  }

  #setLive(live: boolean): void {
    if (this.#live && !live) this.#interruptions++;
    this.#live = live;
    if (live) for (const done of [...this.#waiters]) done(true);
  }

  #explain(error: Error): { reason: string; wasLive: boolean } {
    const denied = deniedIn(error);
    // The caller is told immediately. A follower that has begun retries, because a permission may be given again.
    if (denied !== undefined && !this.#begun)
      return this.#break('permission_denied', describeDenied(denied, this.#context.connection.names));
    if (isStreamNotFound(error)) return this.#deny('log_gone', 'it does not exist');
    return { reason: error.message, wasLive: false };
  }

  #deny(code: BusErrorCode, reason: string): { reason: string; wasLive: boolean } {
    if (++this.#denials >= DENIALS_MIN) return this.#break(code, reason);
    return { reason, wasLive: false };
  }

  #break(code: BusErrorCode, reason: string): { reason: string; wasLive: boolean } {
    if (this.#failure === undefined && !this.#abort.signal.aborted) {
      const failure = new BusError(code, `the log of ${this.#options.namespace} broke: ${reason}`);
      this.#failure = failure;
      this.#abort.abort();
      // Later, because this may run inside the client's read loop.
      if (this.#begun) queueMicrotask(() => this.#options.onBroken(failure));
      else this.#settle?.reject(failure);
    }
    return { reason, wasLive: false };
  }
}
