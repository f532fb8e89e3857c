import { freePort } from '../support/free-port.ts';
import { NodeProcess, type NodeProcessOptions } from '../support/node-process.ts';
import { until } from '../support/until.ts';
import { NODE_MAIN } from './build.ts';
import { monoMs } from './time.ts';

const LOG_LINES_MAX = 2000;

export interface RestartableNodeOptions extends Pick<NodeProcessOptions, 'env' | 'descriptors'> {
  readonly name: string;
  /** Config by path; ports are chosen here. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A node that is killed and started again: one {@link NodeProcess} after the other, on the same ports. */
export class RestartableNode {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  /** On the shared clock, when it last said that it had started. */
  startedAtMs = 0;
  /** The last lines of its log, over all its lives. */
  readonly #log: string[] = [];
  readonly #options: RestartableNodeOptions;
  #process: NodeProcess | undefined;

  private constructor(options: RestartableNodeOptions, port: number, adminPort: number) {
    this.#options = options;
    this.name = options.name;
    this.port = port;
    this.adminPort = adminPort;
  }

  /** Resolves when the node serves. */
  static async start(options: RestartableNodeOptions): Promise<RestartableNode> {
    const node = new RestartableNode(options, freePort(), freePort());
    await node.start();
    return node;
  }

  get pid(): number {
    return this.#current.pid;
  }

  get workerPids(): readonly number[] {
    return this.#current.workerPids;
  }

  /** Starts it, or starts it again. Resolves when it serves with as many workers as it should have. */
  async start(): Promise<void> {
    const { settings, name, env, descriptors } = this.#options;
    const all = { 'log.level': 'info', nodeId: name, ...settings, port: this.port, 'admin.port': this.adminPort };
    this.#process = NodeProcess.launch(all, {
      main: NODE_MAIN,
      onLine: (line) => this.#remember(line),
      ...(env !== undefined && { env }),
      ...(descriptors !== undefined && { descriptors }),
    });
    try {
      await this.#process.untilStarted(Number(settings.workers ?? 1));
    } catch (error) {
      await this.#process.kill9();
      throw new Error(`${name} did not start:\n${this.lastLines(20)}`, { cause: error });
    }
  }

  /** `kill -9` of the hub alone: its workers see the end of their link. */
  killHub9(): Promise<void> {
    return this.#current.killHub9();
  }

  /** `kill -9` of every process of the node, as when its machine goes down. */
  kill9(): Promise<void> {
    return this.#current.kill9();
  }

  /** Ends it in order. @returns its exit code, and how long it took */
  async stop(): Promise<{ readonly code: number | null; readonly elapsedMs: number }> {
    const startMs = performance.now();
    this.#current.signal('SIGTERM');
    const code = await this.#current.exited;
    return { code, elapsedMs: performance.now() - startMs };
  }

  /** The HTTP status of /health/ready; 0: no answer. */
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

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  get(path: string): Promise<Response> {
    return this.#current.admin(path);
  }

  /** A request of the HTTP API, as the operator. */
  post(path: string, body: object): Promise<Response> {
    return this.#current.admin(path, { method: 'POST', body: JSON.stringify(body) });
  }

  metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return this.#current.metric(name, labels);
  }

  lastLines(count: number): string {
    return this.#log.slice(-count).join('\n');
  }

  get #current(): NodeProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was not started`);
    return this.#process;
  }

  #remember(line: string): void {
    if (line.includes('"msg":"node started"')) this.startedAtMs = monoMs();
    this.#log.push(`${Math.round(monoMs())} ${line}`);
    if (this.#log.length > LOG_LINES_MAX) this.#log.shift();
  }
}
