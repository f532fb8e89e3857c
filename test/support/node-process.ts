import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { readMetric } from './metrics.ts';
import { testSettings } from './node.ts';
import { TestClient, type TestClientOptions } from './test-client.ts';
import { until } from './until.ts';

/** What users run: the build. */
const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js');
export const ADMIN_TOKEN = 'an-admin-token-of-the-tests';

/** One line of a node's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** `stentor serve` as a process of its own, with its workers; nothing of this process's STENTOR_ variables. */
export class NodeProcess {
  readonly lines: LogLine[] = [];
  /** Everything that it and its workers wrote, to stdout and stderr. */
  output = '';
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #clients: TestClient[] = [];
  #hasEnded = false;

  private constructor(settings: Readonly<Record<string, unknown>>, args: readonly string[]) {
    const { PATH = '', HOME = '' } = process.env;
    const flags = Object.entries(testSettings({ workers: 2, 'admin.token': ADMIN_TOKEN, ...settings })).flatMap(([path, value]) => [
      '--set',
      `${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ]);
    this.#child = spawn(process.execPath, [MAIN, 'serve', ...flags, ...args], { env: { PATH, HOME }, stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) if (line.startsWith('{')) this.lines.push(JSON.parse(line));
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    // A test that is cut off leaves no node behind; its workers end with it.
    const endWithUs = () => this.#child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      process.removeListener('exit', endWithUs);
      this.#hasEnded = true;
      return { code, signal };
    });
  }

  /** Does not wait for anything. */
  static launch(settings: Readonly<Record<string, unknown>> = {}, args: readonly string[] = []): NodeProcess {
    return new NodeProcess(settings, args);
  }

  /** Resolves when it and all its workers are listening. */
  async untilStarted(workers: number): Promise<void> {
    await this.untilLine('node started');
    await until('all workers to listen', () => this.#assertRunning() && Object.keys(this.workerPids).length >= workers);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get port(): number {
    return this.lines.find(({ msg }) => msg === 'node started')?.port as number;
  }

  get adminPort(): number {
    return this.lines.find(({ msg }) => msg === 'node started')?.adminPort as number;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** By worker: the process that listened last. */
  get workerPids(): number[] {
    const pids: number[] = [];
    for (const { msg, worker, pid } of this.lines) if (msg === 'worker listening') pids[worker as number] = pid as number;
    return pids;
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

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it and its clients, the hard way if need be. Harmless when it has ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), 15_000);
    await this.ended.finally(() => clearTimeout(timer));
  }

  #assertRunning(): true {
    if (this.#hasEnded) throw new Error(`the node has ended:\n${this.output.slice(-4000)}`);
    return true;
  }
}
