import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

const STOP_TIMEOUT_MS = 10_000;
const running = new Set<ChildProcess>();

let watching = false;

/** Unlike our own child processes, programs do not end when a channel closes. So the benchmark must end them, however it ends itself. */
function endWithUs(): void {
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
}

/** A program that is no child of Node's: nats-server, centrifugo, the floor. */
export class Program {
  readonly #child: ChildProcess;

  /**
   * @param stdio `pipe`: stdin and stdout can be used, and its errors are shown
   * @throws Error when it could not be started
   */
  constructor(file: string, args: readonly string[], stdio: 'ignore' | 'pipe' = 'ignore') {
    this.#child = spawn(file, args, { stdio: [stdio, stdio, stdio === 'pipe' ? 'inherit' : 'ignore'] });
    if (this.#child.pid === undefined) throw new Error(`could not start ${file}`);
    endWithUs();
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    this.#child.once('error', () => running.delete(this.#child));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get stdin(): Writable {
    return this.#child.stdin!;
  }

  get stdout(): Readable {
    return this.#child.stdout!;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    if (!this.alive) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }
}
