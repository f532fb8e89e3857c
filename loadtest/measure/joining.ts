import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../../src/bench/clock.ts';
import { cpuSeconds, isHub, processName, processTree } from '../core/proc.ts';
import type { RunningServer } from '../servers/server.ts';

export interface FirstPublications {
  /** Prefix of the topics, which are numbered. */
  readonly topic: string;
  readonly topics: number;
  readonly payloadBytes: number;
  readonly durationMs: number;
}

/** One publication on each topic, so that each has a position. */
export async function publishToAll(server: RunningServer, { topic, topics, payloadBytes, durationMs }: FirstPublications): Promise<void> {
  const feed = { topic, ratePerSecond: (topics * 1000) / durationMs, burst: 1, keys: 0, firstSequence: 0, rotateOver: topics };
  await server.feed({ topics: [feed], startAtUs: nowUs(), durationMs, payloadBytes });
}

export interface JoiningCost<T> {
  /** Of the server's processes. */
  readonly cpuSeconds: number;
  /** Those that are no workers among them. */
  readonly hubCpuSeconds: number;
  readonly joined: T;
}

/** What clients that join cost, from a quiet moment on. @param settleMs what started, or came, a moment ago is still being worked off */
export async function costOfJoining<T>(server: RunningServer, settleMs: number, join: () => Promise<T>): Promise<JoiningCost<T>> {
  await sleep(settleMs);
  const pids = processTree(server.pids);
  const hub = pids.filter((pid) => isHub(processName(pid)));
  const before = [cpuSeconds(pids), cpuSeconds(hub)] as const;
  const joined = await join();
  return { cpuSeconds: cpuSeconds(pids) - before[0], hubCpuSeconds: cpuSeconds(hub) - before[1], joined };
}
