import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What users run: the build. From the sources each command takes a second more, in which tsx compiles them. */
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** A `stentor` command as a process of its own, with nothing of this process's STENTOR_ variables. */
export class CliProcess {
  stdout = '';
  stderr = '';
  readonly ended: Promise<CliResult>;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(args: readonly string[], { env = {}, input }: CliOptions = {}) {
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      env: { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stdin.end(input);
    this.ended = once(this.#child, 'close').then(([code]) => ({ code, stdout: this.stdout, stderr: this.stderr }));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until what it has printed matches; fails when it ends before. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const found = () => pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
    let ended = false;
    void this.ended.then(() => {
      ended = true;
    });
    while (true) {
      const match = found();
      if (match) return match;
      if (ended) throw new Error(`ended without ${pattern}:\n${this.stdout}\n${this.stderr}`);
      await Promise.race([once(this.#child.stdout, 'data'), once(this.#child.stderr, 'data'), this.ended]);
    }
  }

  /** Ends it for good, and waits for that. For afterEach: harmless when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

export function runCli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return new CliProcess(args, options).ended;
}
