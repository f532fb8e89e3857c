import { setTimeout as sleep } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import type { Topic } from '../../protocol/topic.ts';
import { BusError, type BusErrorCode } from '../bus-error.ts';
import { deliver } from '../deliver.ts';
import type { Follower } from '../log.ts';
import { backoffMs } from './backoff.ts';
import { Consumption } from './consumption.ts';
import type { Delivery } from './delivery.ts';
import { type Anchor, DENIALS_MIN, type LogEnd } from './epoch.ts';
import { isStreamNotFound } from './errors.ts';
import { FollowerCore, type Leg } from './follower-core.ts';
import type { FollowerContext, FollowerOptions } from './follower-options.ts';
import { LiveState } from './live-state.ts';
import { boundsOf, endOf, mayHaveExpired } from './log-bounds.ts';
import { Narrowing } from './narrowing.ts';
import { deniedIn, describeDenied } from './permissions.ts';
import { nanosecondsOf } from './stored-message.ts';

/** Timeout of a follower's request, which is then repeated, and doubled after every third: during a leader change some requests get no answer. */
const FIRST_TIMEOUT_MS = 1000;
const ATTEMPTS_PER_TIMEOUT = 3;
const DENIAL_PAUSE_MS = 1000;
/** The bus logs it once for all followers. */
const CONNECTION_LOST = 'the connection was lost';

/**
 * Follows a stream through restarts, leader changes and lost messages: with one ordered consumer after the other, each from where the last one ended. {@link
 * FollowerCore} decides which deliveries are valid.
 */
export class NatsFollower implements Follower {
  readonly #options: FollowerOptions;
  readonly #context: FollowerContext;
  readonly #core: FollowerCore;
  /** Undefined: it always follows the whole namespace. */
  readonly #narrowing: Narrowing | undefined;
  readonly #abort = new AbortController();
  readonly #state = new LiveState();
  #failure: BusError | undefined;
  /** Created once, because every delivery carries it. */
  readonly #mayHaveExpired = () => mayHaveExpired(this.#core.sureNs, this.#maxAgeNs, this.#context.nowMs());
  #maxAgeNs = 0;
  #begun = false;
  #denials = 0;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #endConsumer: ((reason: string) => void) | undefined;

  constructor(context: FollowerContext, options: FollowerOptions) {
    this.#context = context;
    this.#options = options;
    const { state, patch, history } = options.options;
    // A change that is missing has not been superseded.
    this.#core = new FollowerCore(options.afterOffset, state === 'keyed' && !patch, history.maxCount);
    this.#narrowing = this.#narrowingOf(options);
  }

  #narrowingOf({ interest, interestBounds, options, stream, mayBeBehind }: FollowerOptions): Narrowing | undefined {
    // What a mirror has proves nothing about its origin, so it is not left out.
    if (interest === undefined || interestBounds.filterTopicsMax === 0 || mayBeBehind) return undefined;
    return new Narrowing({
      interest,
      bounds: interestBounds,
      namespace: options,
      core: this.#core,
      info: (jsm) => this.#context.connection.request(() => jsm.streams.info(stream)),
      onGap: (reason) => this.#endConsumer?.(this.#break('log_gap', reason).reason),
      restart: (reason) => this.restart(reason),
    });
  }

  get filteredTopics(): number | undefined {
    return this.#narrowing?.filteredTopics;
  }

  async cover(topics: readonly Topic[]): Promise<void> {
    await this.#narrowing?.cover(topics);
  }

  get position(): number {
    return this.#core.position;
  }

  get live(): boolean {
    return this.#state.live;
  }

  get interruptions(): number {
    return this.#state.interruptions;
  }

  get anchor(): Anchor | undefined {
    return this.#core.anchor;
  }

  whenLive(timeoutMs: number): Promise<boolean> {
    return this.#abort.signal.aborted ? Promise.resolve(this.live) : this.#state.when(timeoutMs);
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
      this.#state.end();
      this.#narrowing?.stop();
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
    const bounds = boundsOf(info, this.#core.sureNs, this.#context.nowMs());
    const check = this.#core.check(bounds);
    if (check === 'rolled_back' && this.#options.mayBeBehind)
      return { reason: `it is behind: it ends at ${bounds.lastOffset}`, wasLive: false };
    if (check === 'rolled_back') return this.#deny('log_rolled_back', `it ends at ${bounds.lastOffset}, before ${this.position}`);
    if (check === 'gap') return this.#break('log_gap', `it begins at ${bounds.firstOffset}, after ${this.position + 1}`);
    this.#denials = 0;
    this.#maxAgeNs = info.config.max_age;
    return this.#consume(jsm, this.#core.begin(bounds));
  }

  /** Known from the start, so that even the first interruption cannot hide a rollback. */
  async #findAnchor(end: LogEnd, get: (seq: number) => Promise<{ readonly timestamp: string } | null>): Promise<void> {
    const { position, anchor } = this.#core;
    // What is there after an interruption says nothing about what was there before.
    if (this.#begun || anchor !== undefined || position === 0 || position > end.lastOffset) return;
    if (position === end.lastOffset && end.lastTimestampNs !== undefined)
      return this.#core.setAnchor({ offset: position, timestampNs: end.lastTimestampNs });
    const found = await get(position);
    if (found !== null) this.#core.setAnchor({ offset: position, timestampNs: nanosecondsOf(found.timestamp) });
  }

  /** Runs consumers without interruption. Resolves when they have ended. */
  async #consume(jsm: JetStreamManager, leg: Leg): Promise<{ reason: string; wasLive: boolean }> {
    const { connection, streams, nowMs } = this.#context;
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      let started = false;
      const goLiveIfSure = () => {
        if (!started || this.live || !leg.isSure) return;
        this.#narrowing?.begin(consumption, jsm);
        this.#goLive();
      };
      const cleanUp = () => {
        this.#endConsumer = undefined;
        this.#state.set(false);
        consumption.stop();
        this.#narrowing?.end();
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
      const consumption = new Consumption({
        connection,
        place: { stream: this.#options.stream, api: streams.api },
        core: this.#core,
        nowMs,
        receive: (on, message, delivery) => this.#receive(on, message, delivery),
        onSure: goLiveIfSure,
        onEnded: end,
      });
      signal.addEventListener('abort', aborted);
      consumption.begin(jsm, leg).then(
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
  #receive(leg: Leg, message: Msg, delivery: Delivery): string | undefined {
    const verdict = this.#core.accept(leg, delivery, this.#mayHaveExpired);
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
      case 'doubt':
        return 'too much is waiting to be sure of a part of the namespace';
      case 'gap':
        return this.#break('log_gap', `after ${this.position} comes ${delivery.streamSeq}`).reason;
      case 'rolled_back':
        return this.#break('log_rolled_back', `there is another publication at ${this.position}`).reason;
    }
  }

  #goLive(): void {
    if (this.#abort.signal.aborted) return;
    this.#begun = true;
    this.#state.set(true);
    this.#settle?.resolve();
    this.#options.onLive();
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
