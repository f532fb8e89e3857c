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

/** CPU seconds that the whole machine has spent, from the first line of /proc/stat: all but idle and waiting for disks. */
export function parseMachineCpuSeconds(text: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = text
    .slice(0, text.indexOf('\n'))
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

export function machineCpuSeconds(): number {
  return parseMachineCpuSeconds(readFileSync('/proc/stat', 'utf8'));
}

/** The script that a process runs, else its program: `worker/main.js`, `nats-server`. */
export function processName(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const script = words.find((word) => /\.[cm]?js$/.test(word)) ?? words[0] ?? '';
    return script.split('/').slice(-2).join('/');
  } catch {
    return 'ended';
  }
}

/** By its name: of a server's processes, what is no worker. */
export function isHub(name: string): boolean {
  return !name.includes('worker');
}

/** A process that has ended counts as nothing: a crashed worker shows as missing deliveries, not here. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => parseStatCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')));
}

/** CPU seconds from the text of /proc/<pid>/task/<tid>/schedstat: the first number, in nanoseconds. */
export function parseSchedstatCpuSeconds(text: string): number {
  return Number(text.slice(0, text.indexOf(' '))) / 1e9;
}

/**
 * The same as {@link cpuSeconds} to the nanosecond, summed over the threads that live: for what costs less than a tick. A thread that ends takes its time with
 * it, so this is for processes that start and end none.
 */
export function exactCpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) =>
    readdirSync(`/proc/${pid}/task`).reduce(
      (total, thread) => total + parseSchedstatCpuSeconds(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')),
      0,
    ),
  );
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
