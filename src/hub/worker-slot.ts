import type { WorkerProcess } from './worker-process.ts';

/** One worker of the node, over all its processes. */
export interface WorkerSlot {
  readonly index: number;
  process: WorkerProcess | undefined;
  startedAtMs: number;
  crashes: number;
  timer: NodeJS.Timeout | undefined;
  /** `Supervisor.replaceWorkers` has been called this often before its process started. */
  generation: number;
  /** Set while it is not to be restarted: it is replaced, or replaces another one and does not listen yet. Called when its process has ended. */
  onGone: (() => void) | undefined;
}

export function newSlot(index: number): WorkerSlot {
  return { index, process: undefined, startedAtMs: 0, crashes: 0, timer: undefined, generation: 0, onGone: undefined };
}

/** The lowest that no worker has: it labels metrics, so there should be few. */
export function freeIndex(workers: readonly WorkerSlot[]): number {
  const taken = new Set(workers.map(({ index }) => index));
  for (let index = 0; ; index++) if (!taken.has(index)) return index;
}

export function failedAtStart(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
