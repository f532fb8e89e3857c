import { setTimeout as sleep } from 'node:timers/promises';
import { BusError } from '../bus/bus-error.ts';
import type { Follower, Interest, Log, LogState } from '../bus/log.ts';
import type { Publication } from '../bus/publication.ts';
import type { Topic } from '../protocol/topic.ts';
import { ifInTime } from '../telemetry/in-time.ts';
import type { Logger } from '../telemetry/log.ts';
import { PositionWaiters } from './position-waiters.ts';
import { SharedCall } from './shared-call.ts';
import { type FollowerSample, judgeFollower } from './watchdog.ts';

export interface LogFollowerEvents {
  onPublication(publication: Publication): void;
  /** Nothing is delivered until {@link onRestarted}, and afterwards perhaps from another epoch of the log. */
  onBroken(): void;
  /** Publications are delivered again, from the current end of the log. @param reason for clients */
  onRestarted(reason: string): void;
}

export interface FollowerRun {
  /** Undefined: no follower was live. */
  readonly follower: Follower | undefined;
  readonly interruptions: number;
}

export interface LogFollowerOptions {
  readonly log: Log;
  /** Default: all of the namespace is wanted. */
  readonly interest?: Interest;
  readonly logger: Logger;
  readonly watchdogIntervalMs: number;
  /** How long {@link LogFollower.ready} waits for a follower that is about to resume. */
  readonly readyTimeoutMs: number;
  /** The first pause before a failed start is retried. */
  readonly retryPauseMs: number;
}

/** The maximum time that a scrape waits for the log. */
const LAG_TIMEOUT_MS = 1000;
const READY_POLLS_PER_PAUSE = 2;
export const RETRY_PAUSE_MAX_MS = 5000;

/**
 * Follows the log of one durable namespace while anybody here subscribes to it. It starts at the end of the log; the state of topics is read separately. When
 * the log is lost or reset, the follower starts over and reports it. When it is stuck, the watchdog restarts it from its position.
 */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #events: LogFollowerEvents;
  /** The log after the next confirmation. */
  readonly #end: SharedCall<LogState>;
  readonly #watchdog: NodeJS.Timeout;
  readonly #abort = new AbortController();
  #starting: Promise<void> | undefined;
  #follower: Follower | undefined;
  #restarting = false;
  #starts = 0;
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

  /** The epoch of the log that is followed. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Publications are delivered, from a log that is confirmed to be the one that {@link epoch} names. */
  get live(): boolean {
    return this.#follower?.live ?? false;
  }

  /** Names the uninterrupted time in which the log is followed; undefined: it is not followed now. */
  get hearing(): string | undefined {
    return this.live ? `${this.#starts}.${this.#follower?.interruptions}` : undefined;
  }

  get position(): number {
    return this.#follower?.position ?? 0;
  }

  /** Everything delivered while this value is the same belongs to one history. Compare with {@link isSameRun}. */
  get run(): FollowerRun {
    return { follower: this.live ? this.#follower : undefined, interruptions: this.#follower?.interruptions ?? 0 };
  }

  isSameRun({ follower, interruptions }: FollowerRun): boolean {
    return follower !== undefined && follower === this.#follower && interruptions === follower.interruptions;
  }

  /** The current state of the log. @throws BusError */
  end(): Promise<LogState> {
    return this.#end.ask();
  }

  /** Publications between this follower and the end of its log; undefined if the log does not answer in time, or nothing is followed now. */
  async lag(): Promise<number | undefined> {
    if (this.#follower === undefined) return undefined;
    const state = await ifInTime(LAG_TIMEOUT_MS, this.end());
    if (state === undefined) return undefined;
    // One that does not get everything is told later how far it is.
    if (this.filteredTopics !== undefined) await this.reach(state.lastOffset, LAG_TIMEOUT_MS);
    return Math.max(0, state.lastOffset - this.position);
  }

  /** Resolves when publications are delivered, from a log that is confirmed to be the one that {@link epoch} names. @throws BusError */
  async ready(): Promise<void> {
    const { readyTimeoutMs, retryPauseMs } = this.#options;
    const deadlineMs = performance.now() + readyTimeoutMs;
    const pollMs = retryPauseMs / READY_POLLS_PER_PAUSE;
    for (;;) {
      const error = await this.#begun(deadlineMs).catch((failure: Error) => failure);
      if (error === undefined) return;
      // The log may be reachable again in a moment.
      const hopeless = !(error instanceof BusError) || error.code !== 'bus_unreachable' || this.#abort.signal.aborted;
      if (hopeless || performance.now() + pollMs > deadlineMs) throw error;
      await sleep(pollMs);
    }
  }

  /** Topics that are asked for by name; undefined: the whole namespace is followed. */
  get filteredTopics(): number | undefined {
    return this.#follower?.filteredTopics;
  }

  /** Resolves when everything that is stored from now on for the topics is delivered, or nothing is followed now. */
  async cover(topics: readonly Topic[]): Promise<void> {
    await this.#follower?.cover(topics);
  }

  /** @returns false if the follower has not reached the offset in time */
  reach(offset: number, timeoutMs: number): Promise<boolean> {
    return this.#positions.wait(offset, timeoutMs);
  }

  /** Compares the follower with its log. Called at intervals. */
  async watch(): Promise<void> {
    const follower = this.#follower;
    if (follower === undefined || this.#watching) return;
    this.#watching = true;
    const state = await this.end().catch(() => undefined);
    this.#watching = false;
    // A log that cannot be asked cannot be followed either; the bus handles that.
    if (state === undefined || follower !== this.#follower) return;
    if (state.epoch !== this.#epoch) return void this.#restart('another node found that the log was reset');
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

  /** All callers share the promise until it fails. */
  #start(): Promise<void> {
    this.#starting ??= this.#startOnce().catch((error) => {
      if (!this.#restarting) this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async #startOnce(): Promise<void> {
    const { log, interest } = this.#options;
    const { epoch, lastOffset } = await this.end();
    let brokenEarly: Error | undefined;
    // It may end before it is returned.
    let follower: Follower | undefined;
    follower = await log.follow(
      lastOffset,
      (publication) => this.#events.onPublication(publication),
      (error) => {
        if (follower !== undefined && this.#follower === follower) void this.#restart(reasonOf(error), error);
        else brokenEarly = error;
      },
      interest,
    );
    if (brokenEarly !== undefined) throw brokenEarly;
    if (this.#abort.signal.aborted) return follower.stop();
    this.#epoch = epoch;
    this.#lastSample = undefined;
    this.#starts++;
    this.#follower = follower;
  }

  async #restart(reason: string, cause?: Error): Promise<void> {
    const { log, logger } = this.#options;
    const follower = this.#follower;
    if (this.#abort.signal.aborted) return;
    this.#follower = undefined;
    // The one that has just been started ends already, before the loop below has noticed that it was started: the loop starts another.
    if (this.#restarting) return follower?.stop();
    this.#restarting = true;
    await follower?.stop();
    this.#events.onBroken();
    for (let attempt = 0; !this.#abort.signal.aborted; attempt++) {
      logger.warn({ namespace: log.namespace, err: cause, reason, attempt }, 'stream recreated or rolled back; restarting consumer');
      this.#starting = this.#startOnce();
      const error = await this.#starting.then(
        () => undefined,
        (failure: Error) => failure,
      );
      if (error === undefined && this.#follower !== undefined) break;
      // What it has delivered does not go on in what the next one delivers.
      if (error === undefined) this.#events.onBroken();
      await sleep(Math.min(this.#options.retryPauseMs * 2 ** attempt, RETRY_PAUSE_MAX_MS), undefined, { signal: this.#abort.signal }).catch(
        () => undefined,
      );
    }
    this.#restarting = false;
    if (!this.#abort.signal.aborted) this.#events.onRestarted(reason);
  }
}

function reasonOf(error: Error): string {
  return error instanceof BusError && error.code === 'log_gap' ? 'this node missed a part of the log' : 'the log was reset';
}
