import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';
import { SocketLink } from '../link/socket.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Hub } from './hub.ts';

const RESTART_BACKOFF_MAX_MS = 30_000;
/** A worker that lived so long starts over with the shortest pause. */
const STABLE_AFTER_MS = 30_000;
/** A feed of 100 MB/s goes over the bound by as much: less than half of it. An idle node is woken once. */
const QUEUE_CHECK_INTERVAL_MS = 1000;
/** Those that are prepared do not wait longer for one that is not. */
const PREPARE_TIMEOUT_MS = 10_000;
/**
 * V8's young generation grows to 48 MiB on its own. A worker makes little garbage, and the memory is better spent on connections:
 * 10,000 idle ones took 2,930 B of user-space memory each without this, 1,150 B with it.
 */
const WORKER_FLAGS = ['--max-semi-space-size=4'];

interface WorkerProcess {
  readonly index: number;
  child: ChildProcess | undefined;
  link: SocketLink<ToWorker, ToHub> | undefined;
  startedAtMs: number;
  crashes: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Starts the worker processes, lets them listen together, starts crashed ones again with backoff, restarts one that no longer takes what it is sent, and
 * drains them at the end. The link is a socket pair on the child's descriptor 3, so when the hub dies its workers see the end of it.
 */
export class Supervisor {
  readonly #config: Config;
  readonly #hub: Hub;
  readonly #logger: Logger;
  #started = false;
  readonly #entryFile: string;
  readonly #workers: WorkerProcess[] = [];
  readonly #queueCheck: NodeJS.Timeout;
  #port: number;
  #stopping = false;
  /** Those of the first start that are neither prepared nor have failed. Undefined: whoever is started listens as soon as it is prepared. */
  #preparing: Set<WorkerProcess> | undefined;
  #onAllEnded: (() => void) | undefined;

  /** @param entryFile the script that a worker process runs */
  constructor(config: Config, hub: Hub, logger: Logger, entryFile: string) {
    this.#config = config;
    this.#hub = hub;
    this.#logger = logger;
    this.#entryFile = entryFile;
    this.#port = config.port;
    this.#queueCheck = setInterval(() => this.#endSlowWorkers(), QUEUE_CHECK_INTERVAL_MS);
  }

  /** Worker process ids, for operators and tests. */
  get pids(): number[] {
    return this.#workers.flatMap(({ child }) => (child?.pid === undefined ? [] : [child.pid]));
  }

  /**
   * @param count processes to run
   * @param port that all of them share
   * @returns the port
   * @throws Error with code `listen_failed`, `uws_unavailable`, `worker_failed`
   */
  async start(count: number, port: number): Promise<number> {
    this.#port = port;
    const workers = Array.from({ length: count }, (_, index) => this.#add(index));
    this.#preparing = new Set(workers);
    const timer = setTimeout(() => this.#letListen(), PREPARE_TIMEOUT_MS);
    try {
      // The first one shows whether any can start; what becomes of another is told in the log, and it is started again.
      const [first] = workers.map((worker) => this.#startFirstTime(worker));
      await first;
      this.#started = true;
    } catch (error) {
      this.#stopping = true;
      clearInterval(this.#queueCheck);
      for (const { child, timer: restart } of workers) {
        clearTimeout(restart);
        child?.kill('SIGKILL');
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return this.#port;
  }

  /** Workers say goodbye to their clients and end; what is left after the time allowed is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#queueCheck);
    for (const worker of this.#workers) clearTimeout(worker.timer);
    if (this.pids.length > 0) {
      const ended = new Promise<void>((resolve) => {
        this.#onAllEnded = resolve;
      });
      this.#hub.drain();
      const timer = setTimeout(() => this.#killAll(), this.#config.hub.drainTimeoutMs);
      await ended;
      clearTimeout(timer);
    }
  }

  /** Resolves when it listens. Told of its end too, however much later: one that has started is started again like any other. */
  #startFirstTime(worker: WorkerProcess): Promise<void> {
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

  /** It is prepared, or has failed. */
  #doneWithPreparing(worker: WorkerProcess): void {
    if (this.#preparing?.delete(worker) && this.#preparing.size === 0) this.#letListen();
  }

  /** Together: whoever listened before the others would get all clients of a storm, and the others none. */
  #letListen(): void {
    this.#preparing = undefined;
    for (const { link } of this.#workers) link?.send({ kind: 'listen' });
  }

  #add(index: number): WorkerProcess {
    const worker = { index, child: undefined, link: undefined, startedAtMs: 0, crashes: 0, timer: undefined };
    this.#workers.push(worker);
    return worker;
  }

  #spawn(worker: WorkerProcess, onStarted: (failure?: Error) => void): void {
    const child = spawn(process.execPath, [...process.execArgv, ...WORKER_FLAGS, this.#entryFile], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    worker.startedAtMs = Date.now();
    child.on('error', (error) => onStarted(error));
    if (child.pid === undefined) {
      // Too many processes or descriptors, say: 'error' comes, 'exit' does not, and there may be no link.
      child.once('error', (error) => this.#ended(worker, { err: error }));
      return;
    }
    worker.child = child;
    const link = new SocketLink<ToWorker, ToHub>(child.stdio[3] as Socket, this.#config.tuning.hub.linkBatchMs);
    worker.link = link;
    this.#hub.attach(link, worker.index, this.#port, {
      onPrepared: () => this.#doneWithPreparing(worker),
      onListening: (port, facts) => {
        this.#logger.info({ worker: worker.index, pid: child.pid, port, ...facts }, 'worker listening');
        onStarted();
      },
      onStartFailed: ({ code, message }) => {
        // The first one's failure is what the start fails with.
        if (this.#started || worker.index > 0) this.#logger.error({ worker: worker.index, port: this.#port, code }, message);
        onStarted(Object.assign(new Error(message), { code }));
        // It takes no clients: it is ended, and started again after a pause.
        child.kill('SIGKILL');
      },
      // A worker lives as long as its link.
      onDrained: () => link.close(),
    });
    if (this.#preparing === undefined) link.send({ kind: 'listen' });
    child.once('exit', (code, signal) => {
      link.close();
      worker.child = undefined;
      worker.link = undefined;
      onStarted(Object.assign(new Error(`worker ended at its start (${signal ?? code})`), { code: 'worker_failed' }));
      this.#ended(worker, { exitCode: code, signal });
    });
  }

  #ended(worker: WorkerProcess, how: Readonly<Record<string, unknown>>): void {
    if (this.#stopping) {
      if (this.pids.length === 0) this.#onAllEnded?.();
      return;
    }
    this.#hub.metrics.workerRestarts.inc();
    worker.crashes = Date.now() - worker.startedAtMs > STABLE_AFTER_MS ? 0 : worker.crashes + 1;
    const pauseMs = Math.min(this.#config.tuning.hub.workerRestartBackoffMs * 2 ** Math.max(0, worker.crashes - 1), RESTART_BACKOFF_MAX_MS);
    this.#logger.error({ worker: worker.index, ...how, pauseMs }, 'worker ended unasked; starting it again');
    worker.timer = setTimeout(() => this.#spawn(worker, () => undefined), pauseMs);
  }

  #endSlowWorkers(): void {
    for (const { link, child, index } of this.#workers) {
      if (link === undefined || link.queuedBytes <= this.#config.tuning.hub.linkQueueBytesMax) continue;
      this.#logger.error({ worker: index, queuedBytes: link.queuedBytes }, 'worker does not take what it is sent; restarting it');
      child?.kill('SIGKILL');
    }
  }

  #killAll(): void {
    this.#logger.warn({ workers: this.pids.length }, 'drain took too long; ending the workers');
    for (const { child } of this.#workers) child?.kill('SIGKILL');
  }
}
