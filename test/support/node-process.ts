import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { freePort } from './free-port.ts';
import { readMetric } from './metrics.ts';
import { testSettings } from './node.ts';
import { TestClient, type TestClientOptions } from './test-client.ts';
import { until } from './until.ts';
import { untilStopped } from './until-stopped.ts';

/** What users run: the build. */
const BUILD_MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js');
export const ADMIN_TOKEN = 'an-admin-token-of-the-tests';
const START_TIMEOUT_MS = 60_000;
/** Lines and text that are kept: the last. */
const LINES_MAX = 20_000;
const OUTPUT_CHARS_MAX = 4_000_000;

/** One line of a node's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface NodeProcessOptions {
  /** Further arguments of `stentor serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The script; by default the build's. */
  readonly main?: string;
  /** `ulimit -n`, for it and its workers; undefined: as this process has it. */
  readonly descriptors?: number;
  /** Every line, of stdout and stderr. */
  readonly onLine?: (line: string) => void;
}

/** One life of `stentor serve` as a process of its own, with its workers; nothing of this process's STENTOR_ variables. */
export class NodeProcess {
  readonly lines: LogLine[] = [];
  /** What it and its workers wrote, to stdout and stderr. */
  output = '';
  /** Settles when the process is gone. Its workers may still be there. */
  readonly exited: Promise<number | null>;
  /** Settles when all output is read too: its workers are gone. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #clients: TestClient[] = [];
  readonly #onLine: (line: string) => void;
  readonly #workerPids: number[] = [];
  #started: LogLine | undefined;
  #hasExited = false;

  private constructor(settings: Readonly<Record<string, unknown>>, options: NodeProcessOptions) {
    const { args = [], env = {}, main = BUILD_MAIN, descriptors, onLine = () => undefined } = options;
    const { PATH = '', HOME = '' } = process.env;
    // Not 0: the hub would choose one, and its workers listen on it a second later.
    const defaults = { workers: 2, port: freePort(), 'admin.token': ADMIN_TOKEN };
    const flags = Object.entries(testSettings({ ...defaults, ...settings })).flatMap(([path, value]) => [
      '--set',
      `${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ]);
    const command = [process.execPath, main, 'serve', ...flags, ...args];
    // Node raises the soft limit to the hard one: `ulimit -n` sets both.
    const shell = ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh'];
    const [program, ...rest] = (descriptors === undefined ? command : [...shell, ...command]) as [string, ...string[]];
    this.#onLine = onLine;
    this.#child = spawn(program, rest, { env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) this.#read(stream as NodeJS.ReadableStream);
    // A test that is cut off leaves no node behind; its workers end with it.
    const endWithUs = () => this.#child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.exited = once(this.#child, 'exit').then(([code]) => {
      process.removeListener('exit', endWithUs);
      this.#hasExited = true;
      return code as number | null;
    });
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      // All pipes are closed, so its workers are gone. Their ids may be others' soon.
      this.#workerPids.length = 0;
      return { code, signal };
    });
  }

  /** Does not wait for anything. */
  static launch(settings: Readonly<Record<string, unknown>> = {}, options: NodeProcessOptions = {}): NodeProcess {
    return new NodeProcess(settings, options);
  }

  /** Resolves when it and all its workers are listening. */
  async untilStarted(workers: number): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (this.#started === undefined || this.workerPids.length < workers) {
      this.#assertRunning();
      if (performance.now() > deadlineMs) throw new Error(`the node did not start in ${START_TIMEOUT_MS} ms:\n${this.output.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** By worker index: the process that listened last. */
  get workerPids(): number[] {
    return [...this.#workerPids];
  }

  get port(): number {
    return this.#started?.port as number;
  }

  get adminPort(): number {
    return this.#started?.adminPort as number;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  async untilLine(msg: string, fits: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return until(`the log to say "${msg}"`, () => {
      const line = this.lines.find((candidate) => candidate.msg === msg && fits(candidate));
      return line ?? (this.#assertRunning() && undefined);
    });
  }

  async connect(options: TestClientOptions = { encoding: 'msgpack' }): Promise<TestClient> {
    const client = await TestClient.connect(this.url, options);
    this.#clients.push(client);
    return client;
  }

  admin(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, ...init.headers };
    return fetch(`http://127.0.0.1:${this.adminPort}${path}`, { ...init, headers });
  }

  /** Publishes as the operator. */
  async publish(topic: string, data: unknown): Promise<void> {
    const response = await this.admin('/api/publish', { method: 'POST', body: JSON.stringify({ topic, data }) });
    if (response.status !== 200) throw new Error(`publish: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }

  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return readMetric(await (await this.admin('/metrics')).text(), name, labels);
  }

  /** To the hub's process. After SIGSTOP it has stopped. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
    if (name === 'SIGSTOP') untilStopped(this.pid);
  }

  /** `kill -9` of the hub alone: its workers see the end of their link. Harmless when it has exited. */
  async killHub9(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** `kill -9` of every process of the node, as when its machine goes down. */
  async kill9(): Promise<void> {
    for (const pid of this.#workerPids.splice(0)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
    await this.killHub9();
  }

  /** Ends it and its clients, with SIGKILL after 15 s. Harmless when it has ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), 15_000);
    await this.ended.finally(() => clearTimeout(timer));
  }

  #read(stream: NodeJS.ReadableStream): void {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      this.output = `${this.output}${text}`.slice(-OUTPUT_CHARS_MAX);
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) this.#take(line);
    });
  }

  #take(text: string): void {
    if (text.startsWith('{')) {
      const line = JSON.parse(text) as LogLine;
      this.lines.push(line);
      if (this.lines.length > LINES_MAX) this.lines.shift();
      if (line.msg === 'node started') this.#started = line;
      if (line.msg === 'worker listening') this.#workerPids[line.worker as number] = line.pid as number;
    }
    this.#onLine(text);
  }

  #assertRunning(): true {
    if (this.#hasExited) throw new Error(`the node has ended:\n${this.output.slice(-4000)}`);
    return true;
  }
}
