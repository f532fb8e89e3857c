import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { childScript, ROOT } from '../build.ts';
import { Child } from '../core/rpc.ts';
import type { DialectName } from '../swarm/dialects.ts';
import { natsMissing, startNatsFeed } from './nats-fed.ts';
import type { Listening, RunningServer, ServerUnderTest, StartSettings } from './server.ts';

interface Variant {
  readonly name: string;
  readonly title: string;
  readonly bus: 'memory' | 'nats';
  readonly durable: boolean;
  /** Clients speak JSON instead of MessagePack. */
  readonly json?: boolean;
  /** Hub and worker in one process. */
  readonly oneProcess?: boolean;
}

/** More than the longest run publishes on one topic: a follower that is held up on purpose must find everything still there. */
const HISTORY_COUNT_MAX = 1_000_000;

function flags(variant: Variant, { workers, keyed }: StartSettings, natsUrl: string): Record<string, unknown> {
  return {
    port: 0,
    'admin.port': 0,
    workers: variant.oneProcess ? 0 : workers,
    'log.level': 'warn',
    'nats.url': natsUrl,
    'limits.connectionsPerWorkerMax': 19_000,
    // A watchlist subscribes to all its topics at once.
    'limits.topicsPerConnectionMax': 1000,
    'limits.messagesPerSecondMax': 1000,
    namespaces: {
      bench: {
        durable: variant.durable,
        public: true,
        keyed,
        slowConsumer: keyed ? 'conflate' : 'replay',
        history: { maxCount: keyed ? 16 : HISTORY_COUNT_MAX },
      },
    },
  };
}

async function startNode(
  variant: Variant,
  settings: StartSettings,
  natsUrl: string,
  index: number,
): Promise<{ child: Child; port: number }> {
  const child = new Child(`${variant.name} ${index}`, childScript('stentor-node'));
  try {
    const { port } = await child.call<Listening>('start', { root: ROOT, flags: flags(variant, settings, natsUrl) });
    return { child, port };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

async function startOnMemory(variant: Variant, settings: StartSettings): Promise<RunningServer> {
  if (settings.nodes !== 1) throw new Error(`${variant.name}: the memory bus is one node's`);
  const { child, port } = await startNode(variant, settings, '', 0);
  return {
    dialect: dialectOf(variant),
    ports: [port],
    pids: [child.pid],
    selfFed: true,
    feed: (plan) => child.call('feed', plan),
    flood: (flood) => child.call('flood', flood),
    stop: () => child.stop(),
  };
}

async function startOnNats(variant: Variant, settings: StartSettings): Promise<RunningServer> {
  const nats = await startNatsFeed();
  const nodes: { child: Child; port: number }[] = [];
  const stop = async () => {
    await Promise.all(nodes.map(({ child }) => child.stop()));
    await nats.stop();
  };
  try {
    for (let i = 0; i < settings.nodes; i++) nodes.push(await startNode(variant, settings, nats.server.url, i));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    dialect: dialectOf(variant),
    ports: nodes.map(({ port }) => port),
    pids: nodes.map(({ child }) => child.pid),
    selfFed: false,
    feed: nats.feed,
    flood: nats.flood,
    stop,
  };
}

function dialectOf({ json = false }: Variant): DialectName {
  return json ? 'stentor-json' : 'stentor';
}

function stentor(variant: Variant): ServerUnderTest {
  return {
    name: variant.name,
    title: variant.title,
    missing() {
      if (!existsSync(join(ROOT, 'dist', 'node.js'))) return 'not built: npm run build';
      return variant.bus === 'nats' ? natsMissing() : undefined;
    },
    start: (settings) => (variant.bus === 'nats' ? startOnNats(variant, settings) : startOnMemory(variant, settings)),
  };
}

export const STENTOR_SERVERS: readonly ServerUnderTest[] = [
  stentor({ name: 'stentor', title: 'Stentor, memory bus', bus: 'memory', durable: true }),
  stentor({ name: 'stentor-ephemeral', title: 'Stentor, memory bus, ephemeral', bus: 'memory', durable: false }),
  stentor({ name: 'stentor-one', title: 'Stentor, memory bus, one process', bus: 'memory', durable: true, oneProcess: true }),
  stentor({ name: 'stentor-nats', title: 'Stentor, NATS JetStream', bus: 'nats', durable: true }),
  stentor({ name: 'stentor-nats-one', title: 'Stentor, NATS, ephemeral, one process', bus: 'nats', durable: false, oneProcess: true }),
  stentor({ name: 'stentor-nats-json', title: 'Stentor, NATS, ephemeral, JSON', bus: 'nats', durable: false, json: true }),
  stentor({ name: 'stentor-nats-ephemeral', title: 'Stentor, NATS, ephemeral', bus: 'nats', durable: false }),
];
