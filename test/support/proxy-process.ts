import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { until } from './until.ts';

/** A proxy that is run for a test: nginx, HAProxy, Envoy. */
export class ProxyProcess {
  readonly port: number;
  /** What it wrote, to stdout and stderr. */
  output = '';
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Resolves when it accepts connections. */
  static async start(program: string, args: readonly string[], port: number): Promise<ProxyProcess> {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const proxy = new ProxyProcess(child, port);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        proxy.output = `${proxy.output}${text}`.slice(-100_000);
      });
    }
    const endWithUs = () => child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.removeListener('exit', endWithUs));
    await until(`${program} to accept connections`, () => {
      if (child.exitCode !== null) throw new Error(`${program} has ended:\n${proxy.output}`);
      return accepts(port);
    });
    return proxy;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await exited.finally(() => clearTimeout(timer));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
