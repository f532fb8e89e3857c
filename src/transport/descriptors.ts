import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Descriptors that a worker needs besides connections: files, timers, the link, and connections that are accepted only to be refused. */
const RESERVED = 64;

/** The limit of open descriptors of the process; undefined if it cannot be read (not Linux). */
export function descriptorLimit(): number | undefined {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

/** The number of connections that the limit permits; `wanted` if there is no limit. */
export function connectionsAllowed(wanted: number, limit: number | undefined): number {
  return limit === undefined ? wanted : Math.max(1, Math.min(wanted, limit - RESERVED));
}

/**
 * The number of open descriptors of the process. Since Linux 6.2 the size of the folder is that number. Before that they must be counted, which takes 0.1 s for
 * 200,000. @param count false: return undefined instead of counting
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
