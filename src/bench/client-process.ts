import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ClientsSettings, FromClients, ToClients } from './messages.ts';

type Opened = Extract<FromClients, { kind: 'opened' }>;
type Tallied = Extract<FromClients, { kind: 'tallied' }>;

/** A process of clients, as the bench sees it. */
export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  constructor() {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#child = fork(fileURLToPath(new URL(`./clients-main.${extension}`, import.meta.url)), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#ended = new Promise((_, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => reject(new Error(`a process of clients ended: ${signal ?? code}`)));
    });
    this.#ended.catch(() => undefined);
  }

  open(settings: ClientsSettings): Promise<Opened> {
    return this.#ask({ kind: 'open', settings }, 'opened');
  }

  tally(sent: number): Promise<Tallied> {
    return this.#ask({ kind: 'tally', sent }, 'tallied');
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  /** One question at a time. */
  #ask<K extends FromClients['kind']>(message: ToClients, kind: K): Promise<Extract<FromClients, { kind: K }>> {
    const answer = new Promise<Extract<FromClients, { kind: K }>>((resolve) => {
      const listen = (got: FromClients) => {
        if (got.kind !== kind) return;
        this.#child.off('message', listen);
        resolve(got as Extract<FromClients, { kind: K }>);
      };
      this.#child.on('message', listen);
    });
    this.#child.send(message);
    return Promise.race([answer, this.#ended]);
  }
}
