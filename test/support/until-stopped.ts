import { readdirSync, readFileSync } from 'node:fs';

const DEADLINE_MS = 5000;

/**
 * Returns when every thread of a process that was sent SIGSTOP has stopped. The signal takes a moment, longer on a busy machine, and until then the process
 * answers. Looks in /proc; where there is none it returns at once.
 *
 * @throws Error when some thread still runs after 5 s
 */
export function untilStopped(pid: number): void {
  if (process.platform !== 'linux') return;
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (!threadsOf(pid).every((state) => state === 'T')) {
    if (performance.now() > deadlineMs) throw new Error(`process ${pid} was sent SIGSTOP, and still runs`);
  }
}

function threadsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    // The name, in brackets, may hold anything; the state comes behind it.
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  });
}
