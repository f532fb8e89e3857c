import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';
import { SocketLink } from '../link/socket.ts';
import type { Logger } from '../ops/log.ts';
import type { Hub } from './hub.ts';

const RESTART_BACKOFF_MAX_MS = 30_000;
/** A worker that lived so long starts over with the shortest pause. */
const STABLE_AFTER_MS = 30_000;
const QUEUE_CHECK_INTERVAL_MS = 250;
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
 * Starts the worker processes, starts crashed ones again with backoff, restarts one that no longer takes what it is sent, and drains them at the end.
 * The link is a socket pair on the child's descriptor 3, so when the hub dies its workers see the end of it.
 */
export class Supervisor {
  readonly #config: Config;
  readonly #hub: Hub;
  readonly #logger: Logger;
  readonly #entryFile: string;
  readonly #workers: WorkerProcess[] = [];
  readonly #queueCheck: NodeJS.Timeout;
  #port: number;
  #stopping = false;
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
    // The first one shows whether any can start.
    await this.#startFirst();
    for (let index = 1; index < count; index++) this.#spawn(this.#add(index), () => undefined);
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

  #startFirst(): Promise<number> {
    return new Promise((resolve, reject) => {
      const worker = this.#add(0);
      let settled = false;
      this.#spawn(worker, (result) => {
        // Told of its end too, however much later: one that has started is started again like any other.
        if (settled) return;
        settled = true;
        if (typeof result === 'number') return resolve(result);
        this.#stopping = true;
        clearInterval(this.#queueCheck);
        worker.child?.kill('SIGKILL');
        reject(result);
      });
    });
  }

  #add(index: number): WorkerProcess {
    const worker = { index, child: undefined, link: undefined, startedAtMs: 0, crashes: 0, timer: undefined };
    this.#workers.push(worker);
    return worker;
  }

  #spawn(worker: WorkerProcess, onStarted: (result: number | Error) => void): void {
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
    const link = new SocketLink<ToWorker, ToHub>(child.stdio[3] as Socket, this.#config.hub.linkBatchMs);
    worker.link = link;
    this.#hub.attach(link, worker.index, this.#port, {
      onListening: (port) => {
        this.#logger.info({ worker: worker.index, pid: child.pid, port }, 'worker listening');
        onStarted(port);
      },
      onStartFailed: ({ code, message }) => {
        this.#logger.error({ worker: worker.index, port: this.#port, code }, message);
        onStarted(Object.assign(new Error(message), { code }));
        // It takes no clients: it is ended, and started again after a pause.
        child.kill('SIGKILL');
      },
      // A worker lives as long as its link.
      onDrained: () => link.close(),
    });
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
    const pauseMs = Math.min(this.#config.hub.workerRestartBackoffMs * 2 ** Math.max(0, worker.crashes - 1), RESTART_BACKOFF_MAX_MS);
    this.#logger.error({ worker: worker.index, ...how, pauseMs }, 'worker ended unasked; starting it again');
    worker.timer = setTimeout(() => this.#spawn(worker, () => undefined), pauseMs);
  }

  #endSlowWorkers(): void {
    for (const { link, child, index } of this.#workers) {
      if (link === undefined || link.queuedBytes <= this.#config.limits.linkQueueBytesMax) continue;
      this.#logger.error({ worker: index, queuedBytes: link.queuedBytes }, 'worker does not take what it is sent; restarting it');
      child?.kill('SIGKILL');
    }
  }

  #killAll(): void {
    this.#logger.warn({ workers: this.pids.length }, 'drain took too long; ending the workers');
    for (const { child } of this.#workers) child?.kill('SIGKILL');
  }
}
