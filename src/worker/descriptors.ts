import { readFileSync } from 'node:fs';

/** Descriptors that a worker needs for other things than connections: files, timers, the link, and accepts on their way to a refusal. */
const RESERVED = 64;

/** How many connections the process's descriptor limit leaves room for; `wanted` where the limit cannot be read (not Linux). */
export function connectionsAllowed(wanted: number): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (match === null) return wanted;
    return Math.max(1, Math.min(wanted, Number(match[1]) - RESERVED));
  } catch {
    return wanted;
  }
}
