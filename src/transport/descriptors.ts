import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Descriptors that a worker needs for other things than connections: files, timers, the link, and accepts on their way to a refusal. */
const RESERVED = 64;

/** What the process may have open; undefined where that cannot be read (not Linux). */
export function descriptorLimit(): number | undefined {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

/** How many connections the limit leaves room for; `wanted` where there is none. */
export function connectionsAllowed(wanted: number, limit: number | undefined): number {
  return limit === undefined ? wanted : Math.max(1, Math.min(wanted, limit - RESERVED));
}

/**
 * What the process has open. From Linux 6.2 on the folder's size says it; before, somebody has to count them, which takes 0.1 s for 200,000.
 *
 * @param count false: undefined rather than count
 */
export function descriptorsOpen(count: boolean): number | undefined {
  try {
    const { size } = statSync('/proc/self/fd');
    if (size > 0) return size;
    return count ? readdirSync('/proc/self/fd').length : undefined;
  } catch {
    return undefined;
  }
}
