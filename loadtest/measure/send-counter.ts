import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { findProgram } from '../core/programs.ts';

export const SEND_CALLS = ['sendto', 'sendmsg', 'write', 'writev'] as const;

export interface RunningCount {
  readonly tool: 'perf' | 'strace';
  /** Ends the count. */
  stop(): Promise<Record<string, number>>;
}

/**
 * Counts the system calls that send, by perf's tracepoints where they work (they cost next to nothing), else by strace, which slows the
 * server several times over: with strace, believe the counts and not the CPU.
 *
 * @throws Error when neither tool is there
 */
export async function startSendCount(pids: readonly number[]): Promise<RunningCount> {
  if (perfWorks()) {
    const events = SEND_CALLS.map((call) => `syscalls:sys_enter_${call}`).join(',');
    return run('perf', ['stat', '-x', ',', '-e', events, '-p', pids.join(',')], parsePerf);
  }
  if (findProgram('strace') === undefined) throw new Error('--count-sends needs perf or strace');
  const targets = pids.flatMap((pid) => ['-p', String(pid)]);
  return run('strace', ['-c', '-f', '-e', `trace=${SEND_CALLS.join(',')}`, ...targets], parseStrace);
}

/** Lines of `count,,syscalls:sys_enter_sendto,…`; `<not counted>` is none. */
export function parsePerf(text: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [count = '', , event = ''] = line.split(',');
    const call = /^syscalls:sys_enter_(\w+)/.exec(event)?.[1];
    if (call !== undefined) counts[call] = Number(count) || 0;
  }
  return counts;
}

/** The summary's lines: `% time, seconds, usecs/call, calls, [errors,] syscall`. */
export function parseStrace(text: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const call = fields.at(-1) ?? '';
    if (fields.length >= 5 && (SEND_CALLS as readonly string[]).includes(call)) counts[call] = Number(fields[3]);
  }
  return counts;
}

function perfWorks(): boolean {
  if (findProgram('perf') === undefined) return false;
  const probe = spawnSync('perf', ['stat', '-x', ',', '-e', 'syscalls:sys_enter_write', '--', 'true'], { encoding: 'utf8' });
  return probe.status === 0 && !probe.stderr.includes('<not supported>');
}

async function run(tool: 'perf' | 'strace', args: string[], parse: (text: string) => Record<string, number>): Promise<RunningCount> {
  const child = spawn(tool, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  // Attaching takes a moment; perf says nothing when it has.
  await new Promise((resolve) => setTimeout(resolve, 500));
  return { tool, stop: () => interrupt(child).then(() => parse(text)) };
}

async function interrupt(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGINT');
  await closed;
}
