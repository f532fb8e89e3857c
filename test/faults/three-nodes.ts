import type { NatsServer } from '../support/nats-server.ts';
import { type FaultRun, type NodeSettings, type Participants, topicsOf } from './fault-run.ts';
import type { Feed } from './feed.ts';
import type { LiveWatch } from './live-watch.ts';
import type { RestartableNode } from './restartable-node.ts';
import type { Size } from './scenario.ts';
import type { SdkClients } from './sdk-clients.ts';
import type { SwarmProcess } from './swarm-process.ts';
import { monoMs, seconds } from './time.ts';

export interface ThreeNodesOptions {
  readonly node?: NodeSettings;
  readonly sdkClients?: number;
  /** A producer that runs from the beginning; else it is only opened. */
  readonly feedRuns?: boolean;
}

/** What most scenarios use: one NATS server, three nodes, a swarm over all of them, and a feed. */
export interface ThreeNodes extends Participants {
  readonly nats: NatsServer;
  readonly nodes: readonly [RestartableNode, RestartableNode, RestartableNode];
  readonly feed: Feed;
  readonly swarm: SwarmProcess;
  readonly topics: readonly string[];
  readonly sdk?: SdkClients;
}

/** Resolves when all are subscribed and, where it runs, the feed has flowed for a while. */
export async function startThreeNodes(
  run: FaultRun,
  size: Size,
  { node, sdkClients = 9, feedRuns = true }: ThreeNodesOptions = {},
): Promise<ThreeNodes> {
  const nats = await run.nats();
  const urls = [nats.url];
  const topics = topicsOf(size.topics);
  const nodes = await run.threeNodes(urls, node);
  const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
  const swarm = await run.swarm({ clients: size.clients, topics });
  const sdk = sdkClients === 0 ? undefined : await run.sdkClients(sdkClients, topics);
  if (feedRuns) {
    feed.start();
    await seconds(size.quick ? 1 : 4);
    await run.calm(swarm);
  }
  return { urls, nats, nodes, feed, swarm, topics, size, ...(sdk !== undefined && { sdk }) };
}

const FEED_LIVE_MAX_MS = 3000;

/**
 * Judges how soon the feed of all nodes is live from now on. When all clients have caught up is a figure of its own: they are owed what was published meanwhile,
 * with 3,000 clients 30 million deliveries.
 */
export async function againIn(run: FaultRun, cluster: ThreeNodes, watch: LiveWatch, fault: string): Promise<void> {
  const backAtMs = monoMs();
  const [{ storedAtMs, liveAtMs }, caughtUpAtMs] = await Promise.all([watch.liveAgain(), allLive(run, cluster)]);
  run.figure(`${fault}StoredMs`, storedAtMs - backAtMs);
  run.limitMs(`${fault}FeedLiveMs`, liveAtMs - backAtMs, FEED_LIVE_MAX_MS);
  run.figure(`${fault}CaughtUpMs`, caughtUpAtMs - backAtMs);
}

/** Every client is live and has something that was published after this call. @returns when, on the shared clock */
export async function allLive(run: FaultRun, { feed, swarm }: ThreeNodes, timeoutMs = 30_000): Promise<number> {
  const askedAtMs = monoMs();
  const offsets = await feed.nextOnEachTopic();
  const storedAtMs = monoMs();
  const { behind, atMs, examples } = await swarm.reach({ offsets, timeoutMs });
  run.say(
    `something new was stored after ${Math.round(storedAtMs - askedAtMs)} ms, and with all ${Math.round(atMs - storedAtMs)} ms later`,
  );
  if (behind > 0) {
    run.fail(`${behind} clients are not live after ${timeoutMs} ms`);
    run.say(`${examples.join(' ')}; ${JSON.stringify(await swarm.stats())}`);
  }
  return atMs;
}
