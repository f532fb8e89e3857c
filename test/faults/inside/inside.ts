import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { seconds } from '../time.ts';

/** A process that runs beside others, at a lower priority, may take long for a few collections of garbage. */
const ANSWER_MAX_MS = 300_000;
const POLL_SECONDS = 0.02;
const PRELOAD = resolve(import.meta.dirname, 'preload.mjs');

/** What is alive in a process, after its garbage has been collected. */
export interface Alive {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  readonly timers: number;
  readonly promises: number;
  readonly maps: number;
  readonly sets: number;
  /** WebSockets. */
  readonly sockets: number;
  /** Topics of uWebSockets that have members. */
  readonly nativeTopics: number;
  readonly descriptors: number;
}

/** Looks into the processes of nodes that were started with {@link Inside.env}. */
export class Inside {
  readonly #folder = mkdtempSync(join(tmpdir(), 'stentor-inside-'));

  get env(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--import ${PRELOAD}`, INSIDE_FOLDER: this.#folder };
  }

  async look(pid: number): Promise<Alive> {
    const file = join(this.#folder, `${pid}.json`);
    rmSync(file, { force: true });
    process.kill(pid, 'SIGUSR2');
    const deadlineMs = performance.now() + ANSWER_MAX_MS;
    while (!existsSync(file)) {
      if (performance.now() > deadlineMs) throw new Error(`process ${pid} did not say in ${ANSWER_MAX_MS} ms what is alive in it`);
      await seconds(POLL_SECONDS);
    }
    return { ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<Alive, 'descriptors'>), descriptors: descriptorsOf(pid) };
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
