import type { Config } from '../config/schema.ts';
import { AlignedInterval } from '../telemetry/aligned-interval.ts';
import type { Logger } from '../telemetry/log.ts';
import type { WorkerLinks } from './worker-links.ts';
import type { StartWorker, WorkerEnd } from './worker-process.ts';
import { failedAtStart, freeIndex, newSlot, type WorkerSlot } from './worker-slot.ts';

const RESTART_BACKOFF_MAX_MS = 30_000;
/** A worker that has run this long is restarted with the shortest pause. */
const STABLE_AFTER_MS = 30_000;
/**
 * Interval at which the queues to the workers are checked. A feed of 100 MB/s exceeds the bound by less than half of it in that time. An idle node wakes up
 * only once.
 */
const QUEUE_CHECK_INTERVAL_MS = 1000;
/** Ready workers do not wait longer than this for one that is not. */
const PREPARE_TIMEOUT_MS = 10_000;
/** A worker that is to replace another one is given up after this. */
const REPLACEMENT_TIMEOUT_MS = 60_000;

/**
 * Starts the worker processes, lets them all listen at the same time, restarts crashed ones with backoff, restarts one that no longer reads its messages, and
 * drains them at the end. It replaces them, one after the other, when they are to have something new.
 */
export class Supervisor {
  readonly #config: Config;
  readonly #links: Pick<WorkerLinks, 'attach' | 'drain' | 'metrics'>;
  readonly #logger: Logger;
  #started = false;
  readonly #startWorker: StartWorker;
  readonly #workers: WorkerSlot[] = [];
  readonly #queueCheck: AlignedInterval;
  #port: number;
  #stopping = false;
  #generation = 0;
  /** Workers of the first start that are neither ready nor have failed. Undefined: every worker listens as soon as it is ready. */
  #preparing: Set<WorkerSlot> | undefined;
  #onAllEnded: (() => void) | undefined;

  constructor(config: Config, links: Pick<WorkerLinks, 'attach' | 'drain' | 'metrics'>, logger: Logger, startWorker: StartWorker) {
    this.#config = config;
    this.#links = links;
    this.#logger = logger;
    this.#startWorker = startWorker;
    this.#port = config.port;
    this.#queueCheck = new AlignedInterval(QUEUE_CHECK_INTERVAL_MS, () => this.#endSlowWorkers());
  }

  /** Worker process ids, for operators and tests. */
  get pids(): number[] {
    return this.#workers.flatMap(({ process }) => (process === undefined ? [] : [process.pid]));
  }

  /**
   * @param count processes to run
   * @param port the port that all of them share
   * @returns the port
   * @throws Error with code `listen_failed`, `uws_unavailable`, `worker_failed`
   */
  async start(count: number, port: number): Promise<number> {
    this.#port = port;
    const workers = Array.from({ length: count }, (_, index) => this.#add(index));
    this.#preparing = new Set(workers);
    const timer = setTimeout(() => this.#letListen(), PREPARE_TIMEOUT_MS);
    try {
      // If the first worker starts, the others can start too. A failure of another one is logged, and it is restarted.
      const [first] = workers.map((worker) => this.#startFirstTime(worker));
      await first;
      this.#started = true;
    } catch (error) {
      this.#stopping = true;
      this.#queueCheck.stop();
      for (const { process, timer: restart } of workers) {
        clearTimeout(restart);
        process?.kill();
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return this.#port;
  }

  /** Workers drain their clients and exit. Workers that are left after the drain timeout are killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#queueCheck.stop();
    for (const worker of this.#workers) clearTimeout(worker.timer);
    if (this.pids.length > 0) {
      const ended = new Promise<void>((resolve) => {
        this.#onAllEnded = resolve;
      });
      this.#links.drain();
      const timer = setTimeout(() => this.#killAll(), this.#config.hub.drainTimeoutMs);
      await ended;
      clearTimeout(timer);
    }
  }

  /**
   * Replaces all workers by new processes, one after the other: the new one listens before the old one drains its clients. Resolves when the old ones have
   * ended, or the node stops.
   *
   * @throws Error if a new worker does not start. Workers that have not been replaced yet go on.
   */
  async replaceWorkers(): Promise<void> {
    this.#generation++;
    for (;;) {
      const worker = this.#workers.find(({ generation, onGone }) => generation < this.#generation && onGone === undefined);
      if (worker === undefined || this.#stopping) return;
      // One that waits for its restart gets everything new then.
      if (worker.process === undefined) worker.generation = this.#generation;
      else await this.#replace(worker);
    }
  }

  async #replace(worker: WorkerSlot): Promise<void> {
    try {
      await this.#startReplacement();
    } catch (error) {
      if (this.#stopping) return;
      throw error;
    }
    if (this.#stopping) return;
    const { process } = worker;
    if (process === undefined) {
      // It has crashed meanwhile.
      clearTimeout(worker.timer);
      return this.#remove(worker);
    }
    const gone = new Promise<void>((resolve) => {
      worker.onGone = resolve;
    });
    process.link.send({ kind: 'drain' });
    const timer = setTimeout(() => process.kill(), this.#config.hub.drainTimeoutMs);
    await gone;
    clearTimeout(timer);
  }

  /** Resolves when it listens. */
  async #startReplacement(): Promise<void> {
    const worker = this.#add(freeIndex(this.#workers));
    worker.onGone = () => undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#spawn(worker, (failure) => (failure === undefined ? resolve() : reject(failure)));
        timer = setTimeout(() => worker.process?.kill(), REPLACEMENT_TIMEOUT_MS);
      });
    } finally {
      clearTimeout(timer);
    }
    worker.onGone = undefined;
  }

  #remove(worker: WorkerSlot): void {
    this.#workers.splice(this.#workers.indexOf(worker), 1);
  }

  /**
   * Resolves when the worker listens. `onStarted` is also told of a failed start, but not of a later exit: a worker that has started is restarted like any
   * other.
   */
  #startFirstTime(worker: WorkerSlot): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#spawn(worker, (failure) => {
        this.#doneWithPreparing(worker);
        if (failure === undefined) resolve();
        else reject(failure);
      });
    });
    started.catch(() => undefined);
    return started;
  }

  /** The worker is ready, or has failed. */
  #doneWithPreparing(worker: WorkerSlot): void {
    if (this.#preparing?.delete(worker) && this.#preparing.size === 0) this.#letListen();
  }

  /** All start to listen at the same time: otherwise the first one would get all clients of a reconnect storm, and the others none. */
  #letListen(): void {
    this.#preparing = undefined;
    for (const { process } of this.#workers) process?.link.send({ kind: 'listen' });
  }

  #add(index: number): WorkerSlot {
    const worker = newSlot(index);
    this.#workers.push(worker);
    return worker;
  }

  #spawn(worker: WorkerSlot, onStarted: (failure?: Error) => void): void {
    worker.startedAtMs = Date.now();
    worker.generation = this.#generation;
    const process = this.#startWorker({
      onEnded: (end) => {
        process?.link.close();
        worker.process = undefined;
        onStarted(
          'err' in end ? end.err : failedAtStart(`worker exited during its start (${end.signal ?? end.exitCode})`, 'worker_failed'),
        );
        this.#ended(worker, end);
      },
    });
    worker.process = process;
    if (process === undefined) return;
    const { link, pid } = process;
    this.#links.attach(link, worker.index, this.#port, {
      onPrepared: () => this.#doneWithPreparing(worker),
      onListening: (port, facts) => {
        this.#port = port;
        this.#logger.info({ worker: worker.index, pid, port, ...facts }, 'worker listening');
        onStarted();
      },
      onStartFailed: ({ code, message }) => {
        // The start fails with the failure of the first worker.
        if (this.#started || worker.index > 0) this.#logger.error({ worker: worker.index, port: this.#port, code }, message);
        onStarted(failedAtStart(message, code));
        // It accepts no clients, so it is stopped, and restarted after a pause.
        process.kill();
      },
      // A worker exits when its link closes.
      onDrained: () => link.close(),
    });
    if (this.#preparing === undefined) link.send({ kind: 'listen' });
  }

  #ended(worker: WorkerSlot, end: WorkerEnd): void {
    if (worker.onGone !== undefined) {
      this.#remove(worker);
      worker.onGone();
    }
    if (this.#stopping) {
      if (this.pids.length === 0) this.#onAllEnded?.();
      return;
    }
    if (worker.onGone !== undefined) return;
    this.#links.metrics.workerRestarts.inc();
    worker.crashes = Date.now() - worker.startedAtMs > STABLE_AFTER_MS ? 0 : worker.crashes + 1;
    const pauseMs = Math.min(this.#config.tuning.hub.workerRestartBackoffMs * 2 ** Math.max(0, worker.crashes - 1), RESTART_BACKOFF_MAX_MS);
    this.#logger.error({ worker: worker.index, ...end, pauseMs }, 'worker exited unexpectedly; restarting');
    worker.timer = setTimeout(() => this.#spawn(worker, () => undefined), pauseMs);
  }

  #endSlowWorkers(): void {
    for (const { process, index } of this.#workers) {
      const queuedBytes = process?.link.queuedBytes ?? 0;
      if (queuedBytes <= this.#config.tuning.hub.linkQueueBytesMax) continue;
      this.#logger.error({ worker: index, queuedBytes }, 'worker does not read its messages; restarting');
      process?.kill();
    }
  }

  #killAll(): void {
    this.#logger.warn({ workers: this.pids.length }, 'drain timed out; killing the workers');
    for (const { process } of this.#workers) process?.kill();
  }
}
