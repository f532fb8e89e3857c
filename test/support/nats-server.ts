import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { natsServerBinary } from './nats-binary.ts';
import { untilStopped } from './until-stopped.ts';

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;

export interface NatsServerOptions {
  /** Default: {@link natsServerBinary}. */
  readonly binary?: string;
  /** Kept by `stop`; default: a temporary one, which `stop` removes. */
  readonly storeDir?: string;
  readonly port?: number;
  readonly jetstream?: boolean;
  /** Its JetStream domain. */
  readonly domain?: string;
  /** Further text of its configuration file. */
  readonly config?: string;
  /** It says nothing before TLS: it is ready when its log says so. */
  readonly silent?: boolean;
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly storeDir: string;
  /** Ends it in order. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** Ends it in order, to be started again: its store stays. */
  halt(): Promise<void>;
  /** On the same port and store. Ends it first where it still runs. */
  restart(): Promise<void>;
  /** After SIGSTOP it has stopped. */
  signal(name: NodeJS.Signals): void;
  /** Takes this further text of its configuration instead, while it runs. */
  reload(config: string): Promise<void>;
  /** How often this stands in the last lines of its log. */
  logged(text: string): number;
}

/** A real nats-server on loopback, on a port and with a store of its own. Resolves when it answers. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const server = new Server(options, options.port ?? freePort());
  await server.start();
  return server;
}

class Server implements NatsServer {
  readonly port: number;
  readonly storeDir: string;
  readonly #options: NatsServerOptions;
  #child: ChildProcess | undefined;
  #log = '';
  #config: string;

  constructor(options: NatsServerOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.#config = options.config ?? '';
    this.storeDir = options.storeDir ?? mkdtempSync(join(tmpdir(), 'stentor-nats-'));
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const { binary = natsServerBinary() } = this.#options;
    const file = this.#writeConfig();
    this.#log = '';
    const child = spawn(binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr?.on('data', (text) => {
      this.#log = (this.#log + text).slice(-10_000);
    });
    child.on('error', (error) => {
      this.#log += error.message;
    });
    // A test that is cut off leaves no server behind.
    const endWithUs = () => child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.removeListener('exit', endWithUs));
    await this.#untilReady(child);
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    if (this.#options.storeDir === undefined) rmSync(this.storeDir, { recursive: true, force: true });
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async halt(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async restart(): Promise<void> {
    await this.#end('SIGTERM');
    await this.start();
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
    if (name === 'SIGSTOP' && this.#child?.pid !== undefined) untilStopped(this.#child.pid);
  }

  async reload(config: string): Promise<void> {
    this.#config = config;
    this.#writeConfig();
    this.#log = '';
    this.#child?.kill('SIGHUP');
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!/Reloaded server configuration/.test(this.#log)) {
      if (performance.now() > deadlineMs || /Failed to reload/.test(this.#log)) throw new Error(`not reloaded:\n${this.#log}`);
      await sleep(20);
    }
  }

  logged(text: string): number {
    return this.#log.split(text).length - 1;
  }

  #writeConfig(): string {
    const { jetstream = true, domain } = this.#options;
    const file = join(this.storeDir, 'nats-server.conf');
    const limits = `store_dir: "${this.storeDir}", max_file_store: 1TB, max_memory_store: 256MB`;
    const jetstreamConfig = jetstream ? `jetstream { ${limits}${domain === undefined ? '' : `, domain: ${domain}`} }` : '';
    writeFileSync(file, `host: 127.0.0.1\nport: ${this.port}\n${jetstreamConfig}\n${this.#config}\n`);
    return file;
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    // One that was stopped (SIGSTOP) hears nothing else.
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited.finally(() => clearTimeout(timer));
  }

  /** Ready is when it greets: it listens only after JetStream has recovered its streams. */
  async #untilReady(child: ChildProcess): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    const isReady = this.#options.silent ? async () => this.#log.includes('Server is ready') : () => greets(this.port);
    while (!(await isReady())) {
      if (child.exitCode !== null || performance.now() > deadlineMs) {
        child.kill('SIGKILL');
        throw new Error(`nats-server did not start on port ${this.port}:\n${this.#log}`);
      }
      await sleep(20);
    }
  }
}

async function greets(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(1000) })) as [Buffer];
    return data.toString().startsWith('INFO ');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
