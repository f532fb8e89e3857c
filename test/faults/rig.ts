import type { NatsServer } from '../support/nats-server.ts';
import type { Feed } from './feed.ts';
import type { NodeProcess } from './node-process.ts';
import type { Size } from './scenario.ts';
import type { SdkClients } from './sdk-clients.ts';
import { type Cast, type NodeSettings, type Stage, topicsOf } from './stage.ts';
import type { SwarmProcess } from './swarm-process.ts';
import { monoMs, seconds } from './time.ts';

export interface RigOptions {
  readonly node?: NodeSettings;
  readonly sdkClients?: number;
  /** A producer that runs from the beginning; else it is only opened. */
  readonly feedRuns?: boolean;
}

/** What most scenarios are played on: three nodes, a swarm over all of them, and a feed. */
export interface Rig extends Cast {
  readonly nats: NatsServer;
  readonly nodes: readonly [NodeProcess, NodeProcess, NodeProcess];
  readonly feed: Feed;
  readonly swarm: SwarmProcess;
  readonly topics: readonly string[];
  readonly sdk?: SdkClients;
}

/** Resolves when all are subscribed and, where it runs, the feed has flowed for a while. */
export async function threeNodeRig(stage: Stage, size: Size, { node, sdkClients = 9, feedRuns = true }: RigOptions = {}): Promise<Rig> {
  const nats = await stage.nats();
  const urls = [nats.url];
  const topics = topicsOf(size.topics);
  const nodes = await stage.threeNodes(urls, node);
  const feed = await stage.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
  const swarm = await stage.swarm({ clients: size.clients, topics });
  const sdk = sdkClients === 0 ? undefined : await stage.sdkClients(sdkClients, topics);
  if (feedRuns) {
    feed.start();
    await seconds(size.quick ? 1 : 4);
    await stage.calm(swarm);
  }
  return { urls, nats, nodes, feed, swarm, topics, size, ...(sdk !== undefined && { sdk }) };
}

/** Every client is live and has something that was published after this call. @returns when, on the shared clock */
export async function allLive(stage: Stage, { feed, swarm }: Rig, timeoutMs = 30_000): Promise<number> {
  const askedAtMs = monoMs();
  const offsets = await feed.nextOnEachTopic();
  const storedAtMs = monoMs();
  const { behind, atMs, examples } = await swarm.reach({ offsets, timeoutMs });
  stage.say(
    `something new was stored after ${Math.round(storedAtMs - askedAtMs)} ms, and with all ${Math.round(atMs - storedAtMs)} ms later`,
  );
  if (behind > 0) {
    stage.fail(`${behind} clients are not live after ${timeoutMs} ms`);
    stage.say(`${examples.join(' ')}; ${JSON.stringify(await swarm.stats())}`);
  }
  return atMs;
}
