import { setTimeout as sleep } from 'node:timers/promises';
import { BusError, type Follower, type Log, type LogState, type Publication } from '../bus/bus.ts';
import type { Logger } from '../telemetry/log.ts';
import { PositionWaiters } from './position-waiters.ts';
import { SharedCall } from './shared-call.ts';
import { type FollowerSample, judgeFollower } from './watchdog.ts';

export interface LogFollowerEvents {
  onPublication(publication: Publication): void;
  /** Nothing is delivered until {@link onRestarted}, and then perhaps of another life of the log. */
  onBroken(): void;
  /** Publications flow again, from the log's end as it is now. @param reason for clients */
  onRestarted(reason: string): void;
}

export interface FollowerRun {
  /** Undefined: none was live. */
  readonly follower: Follower | undefined;
  readonly interruptions: number;
}

export interface LogFollowerOptions {
  readonly log: Log;
  readonly logger: Logger;
  readonly watchdogIntervalMs: number;
  /** How long {@link LogFollower.ready} waits for a follower that is about to go on. */
  readonly readyTimeoutMs: number;
  /** The first pause before a failed start is tried again. */
  readonly retryPauseMs: number;
}

/** A scrape waits for the log so long. */
const LAG_TIMEOUT_MS = 1000;
const READY_POLLS_PER_PAUSE = 2;
export const RETRY_PAUSE_MAX_MS = 5000;

/**
 * Follows the log of one durable namespace while anybody here is interested in it. Starts at the log's end: what a topic was before comes by
 * reading. When the log breaks (it is gone, or is not the one we knew) the follower starts over and says so; when it is stuck the watchdog restarts it
 * from where it is.
 */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #events: LogFollowerEvents;
  /** The log as it is after one asked. */
  readonly #end: SharedCall<LogState>;
  readonly #watchdog: NodeJS.Timeout;
  readonly #abort = new AbortController();
  #starting: Promise<void> | undefined;
  #follower: Follower | undefined;
  #restarting = false;
  #epoch = '';
  #lastSample: FollowerSample | undefined;
  #watching = false;
  readonly #positions = new PositionWaiters(() => this.position);

  constructor(options: LogFollowerOptions, events: LogFollowerEvents) {
    this.#options = options;
    this.#events = events;
    this.#end = new SharedCall(() => options.log.state());
    this.#watchdog = setInterval(() => void this.watch(), options.watchdogIntervalMs);
  }

  /** The life of the log that is followed. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Publications flow, out of a log that is sure to be the one that {@link epoch} names. */
  get live(): boolean {
    return this.#follower?.live ?? false;
  }

  get position(): number {
    return this.#follower?.position ?? 0;
  }

  /** What is delivered while this is the same is of one history. Compared by {@link isSameRun}. */
  get run(): FollowerRun {
    return { follower: this.live ? this.#follower : undefined, interruptions: this.#follower?.interruptions ?? 0 };
  }

  isSameRun({ follower, interruptions }: FollowerRun): boolean {
    return follower !== undefined && follower === this.#follower && interruptions === follower.interruptions;
  }

  /** The log as it is now. @throws BusError */
  end(): Promise<LogState> {
    return this.#end.ask();
  }

  /** Publications between this follower and the end of its log; undefined: the log does not say so in time, or nothing is followed now. */
  async lag(): Promise<number | undefined> {
    if (this.#follower === undefined) return undefined;
    // The timer is cleared by nothing: an answer that comes after it changes nothing.
    const tooLate = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), LAG_TIMEOUT_MS).unref());
    const state = await Promise.race([this.end().catch(() => undefined), tooLate]);
    return state && Math.max(0, state.lastOffset - this.position);
  }

  /** Resolves when publications flow, out of a log that is sure to be the one that {@link epoch} names. @throws BusError */
  async ready(): Promise<void> {
    const { readyTimeoutMs, retryPauseMs } = this.#options;
    const deadlineMs = performance.now() + readyTimeoutMs;
    const pollMs = retryPauseMs / READY_POLLS_PER_PAUSE;
    for (;;) {
      const error = await this.#begun(deadlineMs).catch((failure: Error) => failure);
      if (error === undefined) return;
      // Whoever cannot be reached may be back in a moment.
      const hopeless = !(error instanceof BusError) || error.code !== 'bus_unreachable' || this.#abort.signal.aborted;
      if (hopeless || performance.now() + pollMs > deadlineMs) throw error;
      await sleep(pollMs);
    }
  }

  /** @returns false when the follower has not come so far within the time */
  reach(offset: number, timeoutMs: number): Promise<boolean> {
    return this.#positions.wait(offset, timeoutMs);
  }

  /** Compares the follower with its log; called now and then. */
  async watch(): Promise<void> {
    const follower = this.#follower;
    if (follower === undefined || this.#watching) return;
    this.#watching = true;
    const state = await this.end().catch(() => undefined);
    this.#watching = false;
    // A log that cannot be asked cannot be followed either: the bus is at work on that.
    if (state === undefined || follower !== this.#follower) return;
    if (state.epoch !== this.#epoch) return void this.#restart('another node found that the log is not what it was');
    const before = this.#lastSample;
    this.#lastSample = { position: follower.position, live: follower.live, lastOffset: state.lastOffset };
    const verdict = judgeFollower(before, this.#lastSample);
    if (verdict !== 'stuck' && verdict !== 'beyond_end') return;
    this.#options.logger.warn(
      { namespace: this.#options.log.namespace, verdict, ...this.#lastSample },
      'follower restarted by the watchdog',
    );
    this.#lastSample = undefined;
    follower.restart(`the watchdog found it ${verdict}`);
  }

  async stop(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#abort.abort();
    this.#positions.stop();
    await this.#starting?.catch(() => undefined);
    await this.#follower?.stop();
  }

  async #begun(deadlineMs: number): Promise<void> {
    await this.#start();
    if (await this.#follower?.whenLive(Math.max(0, deadlineMs - performance.now()))) return;
    throw new BusError('bus_unreachable', `the log of ${this.#options.log.namespace} cannot be followed now`);
  }

  /** The same promise for all who ask, until it fails. */
  #start(): Promise<void> {
    this.#starting ??= this.#startOnce().catch((error) => {
      if (!this.#restarting) this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async #startOnce(): Promise<void> {
    const { log } = this.#options;
    const { epoch, lastOffset } = await this.end();
    let brokenEarly: Error | undefined;
    // It may break before it is handed over.
    let follower: Follower | undefined;
    follower = await log.follow(
      lastOffset,
      (publication) => this.#events.onPublication(publication),
      (error) => {
        if (follower !== undefined && this.#follower === follower) void this.#restart(reasonOf(error), error);
        else brokenEarly = error;
      },
    );
    if (brokenEarly !== undefined) throw brokenEarly;
    if (this.#abort.signal.aborted) return follower.stop();
    this.#epoch = epoch;
    this.#lastSample = undefined;
    this.#follower = follower;
  }

  async #restart(reason: string, cause?: Error): Promise<void> {
    const { log, logger } = this.#options;
    const follower = this.#follower;
    if (this.#restarting || this.#abort.signal.aborted) return;
    this.#restarting = true;
    this.#follower = undefined;
    await follower?.stop();
    this.#events.onBroken();
    for (let attempt = 0; !this.#abort.signal.aborted; attempt++) {
      logger.warn({ namespace: log.namespace, err: cause, reason, attempt }, 'the log is not what it was, following it anew');
      this.#starting = this.#startOnce();
      const error = await this.#starting.then(
        () => undefined,
        (failure: Error) => failure,
      );
      if (error === undefined) break;
      await sleep(Math.min(this.#options.retryPauseMs * 2 ** attempt, RETRY_PAUSE_MAX_MS), undefined, { signal: this.#abort.signal }).catch(
        () => undefined,
      );
    }
    this.#restarting = false;
    if (!this.#abort.signal.aborted) this.#events.onRestarted(reason);
  }
}

function reasonOf(error: Error): string {
  return error instanceof BusError && error.code === 'log_gap'
    ? 'this node has missed a part of the history'
    : 'the history is not what it was';
}
