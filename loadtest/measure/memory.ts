import { privateBytes, processTree } from '../core/proc.ts';
import type { RunningServer } from '../servers/server.ts';
import type { GroupSwarm } from './swarms.ts';

const READINGS = 10;
const READING_EVERY_MS = 500;

/** The least of ten readings, 5 s: garbage of the handshakes is not a cost of what stays. */
export async function leastPrivateBytes(pids: readonly number[]): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < READINGS; i++) {
    await new Promise((resolve) => setTimeout(resolve, READING_EVERY_MS));
    least = Math.min(least, privateBytes(pids));
  }
  return least;
}

export interface SubscriptionMemory {
  /** With nothing published: the private memory of the server with its connections subscribed, less that with the same connections open, a subscription. */
  readonly bytesPerSubscription: number;
  /** The same with what the feed has left: recent items of the topics, and the heap's slack. */
  fed(): Promise<number>;
}

/** Subscribes swarms that are connected only, and weighs the server before and after. */
export async function weighSubscriptions(server: RunningServer, swarms: readonly GroupSwarm[]): Promise<SubscriptionMemory> {
  const pids = processTree(server.pids);
  const before = await leastPrivateBytes(pids);
  for (const swarm of swarms) await swarm.subscribe();
  const subscriptions = swarms.reduce((sum, { group }) => sum + group.members * (group.watch?.perConnection ?? 1), 0);
  const each = async () => ((await leastPrivateBytes(pids)) - before) / subscriptions;
  return { bytesPerSubscription: await each(), fed: each };
}
