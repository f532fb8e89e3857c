import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { readMetric } from '../support/metrics.ts';
import { until } from '../support/until.ts';
import { NODE_MAIN } from './build.ts';
import { fixedPort } from './fixed-port.ts';
import { monoMs } from './time.ts';

const START_TIMEOUT_MS = 60_000;
const LOG_LINES_MAX = 2000;

export interface NodeOptions {
  readonly name: string;
  /** Config by path; ports are chosen here. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** `ulimit -n`, for it and its workers; undefined: as this process has it. */
  readonly descriptors?: number;
}

export interface LogLine {
  readonly level: number | string;
  readonly msg?: string;
  readonly [name: string]: unknown;
}

/** A node as users run it: `dist/cli/main.js serve`, a process with worker processes of its own, on ports that it keeps over restarts. */
export class NodeProcess {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  /** The last lines of its log, over all its lives. */
  readonly log: LogLine[] = [];
  /** On the shared clock, when it last said that it had started. */
  startedAtMs = 0;
  readonly #options: NodeOptions;
  #child: ChildProcess | undefined;
  #workers = new Map<number, number>();
  #exitCode: Promise<number | null> = Promise.resolve(null);

  private constructor(options: NodeOptions, port: number, adminPort: number) {
    this.#options = options;
    this.name = options.name;
    this.port = port;
    this.adminPort = adminPort;
  }

  /** Resolves when the node serves. */
  static async start(options: NodeOptions): Promise<NodeProcess> {
    const node = new NodeProcess(options, await fixedPort(), await fixedPort());
    await node.start();
    return node;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Process id by worker index. */
  get workerPids(): readonly number[] {
    return [...this.#workers.values()];
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts it, or starts it again. Resolves when it serves with as many workers as it should have. */
  async start(): Promise<void> {
    const { settings, env, name, descriptors } = this.#options;
    const all = { host: '127.0.0.1', nodeId: name, ...settings, port: this.port, 'admin.port': this.adminPort };
    const flags = Object.entries(all).flatMap(([path, value]) => [
      '--set',
      `${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ]);
    const { PATH = '', HOME = '' } = process.env;
    const command = [process.execPath, NODE_MAIN, 'serve', ...flags];
    // Node raises the soft limit to the hard one: `ulimit -n` sets both.
    const shell = ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh'];
    const [program, ...args] = (descriptors === undefined ? command : [...shell, ...command]) as [string, ...string[]];
    const child = spawn(program, args, {
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#workers = new Map();
    let started = false;
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const entry = this.#remember(line);
      if (entry?.msg === 'node started') {
        started = true;
        this.startedAtMs = monoMs();
      }
      if (entry?.msg === 'worker listening') this.#workers.set(Number(entry.worker), Number(entry.pid));
    });
    createInterface({ input: child.stderr! }).on('line', (line) => this.#remember(line));
    const endWithUs = () => this.killAll9();
    process.once('exit', endWithUs);
    this.#exitCode = once(child, 'exit').then(([code]) => {
      process.removeListener('exit', endWithUs);
      if (this.#child === child) this.#child = undefined;
      return code as number | null;
    });
    const workers = Number(settings.workers ?? 1);
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (!started || this.#workers.size < workers) {
      if (this.#child !== child || performance.now() > deadlineMs) {
        this.killAll9();
        throw new Error(`${name} did not start:\n${this.lastLines(20)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** `kill -9` of the hub alone: its workers see the end of their link. */
  async killHub9(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.#exitCode;
  }

  /** `kill -9` of every process of the node, as when its machine goes. */
  async kill9(): Promise<void> {
    this.killAll9();
    await this.#exitCode;
    // Their ids may be others' soon.
    this.#workers.clear();
  }

  killAll9(): void {
    for (const pid of [this.pid, ...this.#workers.values()]) {
      try {
        if (pid > 0) process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
  }

  /** Ends it in order. @returns its exit code, and how long it took */
  async stop(): Promise<{ readonly code: number | null; readonly elapsedMs: number }> {
    const startMs = performance.now();
    this.#child?.kill('SIGTERM');
    const code = await this.#exitCode;
    this.#workers.clear();
    return { code, elapsedMs: performance.now() - startMs };
  }

  /** The HTTP status of /health/ready, 0 when nobody answers. */
  async ready(): Promise<number> {
    try {
      return (await fetch(`http://127.0.0.1:${this.adminPort}/health/ready`, { signal: AbortSignal.timeout(2000) })).status;
    } catch {
      return 0;
    }
  }

  async untilReady(): Promise<void> {
    await until(`${this.name} to be ready`, async () => (await this.ready()) === 200);
  }

  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return readMetric(await (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text(), name, labels);
  }

  lastLines(count: number): string {
    return this.log
      .slice(-count)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }

  #remember(line: string): LogLine | undefined {
    let entry: LogLine;
    try {
      entry = JSON.parse(line);
    } catch {
      entry = { level: 'text', msg: line };
    }
    this.log.push({ atMs: Math.round(monoMs()), ...entry });
    if (this.log.length > LOG_LINES_MAX) this.log.shift();
    return entry;
  }
}
