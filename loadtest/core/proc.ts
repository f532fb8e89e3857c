import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: /proc counts CPU in hundredths of a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, from the text of /proc/<pid>/stat. The command, in brackets, may hold spaces and brackets itself. */
export function parseStatCpuSeconds(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** `Name:   123 kB` of /proc/<pid>/status or smaps_rollup, in bytes; 0 when it is not there. */
export function parseKilobytes(text: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text);
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** The processes given and all their descendants. */
export function processTree(roots: readonly number[]): number[] {
  const found: number[] = [];
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    if (found.includes(pid)) continue;
    found.push(pid);
    open.push(...childrenOf(pid));
  }
  return found;
}

/** A process that has ended counts as nothing: a crashed worker shows as missing deliveries, not here. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => parseStatCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')));
}

/** Anonymous memory, the processes' own (heap, stacks, buffers): programs, libraries and the page cache are left out. */
export function privateBytes(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return parseKilobytes(text, 'Anonymous');
  });
}

export function residentBytes(pids: readonly number[]): number {
  return sum(pids, (pid) => parseKilobytes(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS'));
}

function sum(pids: readonly number[], read: (pid: number) => number): number {
  let total = 0;
  for (const pid of pids) {
    try {
      total += read(pid);
    } catch {}
  }
  return total;
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
