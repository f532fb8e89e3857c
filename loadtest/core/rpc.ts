import { type ChildProcess, fork } from 'node:child_process';

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

interface Response {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A child process of the benchmark: one that is fed, or one that listens. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #exited: Promise<void>;
  #nextId = 1;

  /** @param script a built one, see build.ts */
  constructor(name: string, script: string, env: Record<string, string> = {}) {
    this.name = name;
    this.#process = fork(script, [], { execArgv: [], env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (message) => this.#settle(message as Response));
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        const error = new Error(`${name} ended by itself (${signal ?? `exit ${code}`})`);
        for (const call of this.#waiting.values()) call.reject(error);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  call<T>(method: string, params: unknown = {}): Promise<T> {
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      if (!this.#process.connected) return reject(new Error(`${this.name} is not running`));
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, method, params } satisfies Request);
    });
  }

  /** Ends it by closing its channel, or by force when it does not go. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await this.#exited;
    clearTimeout(timer);
  }

  #settle(message: Response): void {
    const call = this.#waiting.get(message.id);
    if (call === undefined) return;
    this.#waiting.delete(message.id);
    if (message.error === undefined) call.resolve(message.result as never);
    else call.reject(new Error(`${this.name}: ${message.error}`));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each method names its own parameters; the caller and the child are one program
export type Methods = Record<string, (params: any) => unknown>;

/** The child's side: answers calls, and ends with the channel, so that no child outlives the benchmark. */
export function serveCalls(methods: Methods, onEnd: () => void | Promise<void> = () => {}): void {
  process.on('message', async ({ id, method, params }: Request) => {
    try {
      const handler = methods[method];
      if (handler === undefined) throw new Error(`no method ${method}`);
      reply({ id, result: (await handler(params)) ?? null });
    } catch (error) {
      reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.once('disconnect', async () => {
    await onEnd();
    process.exit(0);
  });
}

function reply(response: Response): void {
  if (process.connected) process.send?.(response);
}
