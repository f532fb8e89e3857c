import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { childScript, ROOT } from '../build.ts';
import { sumOfMetric } from '../core/prometheus.ts';
import { Child } from '../core/rpc.ts';
import type { DialectName } from '../swarm/dialects.ts';
import { natsMissing, startNatsFeed } from './nats-fed.ts';
import type { NodeListening, RunningServer, ServerUnderTest, StartSettings } from './server.ts';

interface Variant {
  readonly name: string;
  readonly title: string;
  readonly bus: 'memory' | 'nats';
  readonly durable: boolean;
  /** Clients speak JSON instead of MessagePack. */
  readonly json?: boolean;
  /** Clients take what is larger than a frame in parts. */
  readonly parts?: boolean;
  /** Clients are streams of events (SSE). */
  readonly sse?: boolean;
  readonly presence?: boolean;
  /** Every client has a token, and is a user of its own. */
  readonly users?: boolean;
  /** Hooks of the namespace: on NATS, whose answers may be kept or not, or in code. */
  readonly hooks?: 'nats' | 'kept' | 'code';
  /** Hub and worker in one process. */
  readonly oneProcess?: boolean;
  /** It follows the whole namespace, whatever it wants of it. */
  readonly whole?: boolean;
}

/** More than the longest run publishes on one topic: a follower that is held up on purpose must find everything still there. */
const HISTORY_COUNT_MAX = 1_000_000;

/** The subjects are answered by the scenario `hooks`. */
const HOOKS = {
  nats: { subscribe: 'nats:bench.hooks', publish: 'nats:bench.hooks' },
  kept: { subscribe: 'nats:bench.kept', publish: 'nats:bench.kept' },
  code: { module: join(ROOT, 'loadtest', 'servers', 'allowing-hooks.mjs') },
} as const;

const TOKEN_SECRET = 'a-secret-of-the-benchmark-with-32-bytes';

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
    // One client publishes and subscribes as fast as it is answered.
    'limits.messagesPerSecondMax': 10_000,
    ...(variant.whole && { 'tuning.nats.filterTopicsMax': 0 }),
    // So that the count falls at once, and changes every second.
    'tuning.presence.graceMs': 0,
    ...(variant.users && { 'auth.keys': [{ alg: 'HS256', secret: TOKEN_SECRET }] }),
    namespaces: {
      ...(variant.users && { user: { durable: false } }),
      bench: {
        durable: variant.durable,
        public: true,
        state: keyed ? 'keyed' : 'last',
        slowConsumer: keyed ? 'conflate' : 'replay',
        history: { maxCount: keyed ? 16 : HISTORY_COUNT_MAX },
        presence: variant.presence ? 'members' : 'off',
        clientPublish: true,
        ...(variant.hooks !== undefined && { hooks: HOOKS[variant.hooks] }),
      },
    },
  };
}

interface Node extends NodeListening {
  readonly child: Child;
}

async function startNode(variant: Variant, settings: StartSettings, natsUrl: string, index: number): Promise<Node> {
  const child = new Child(`${variant.name} ${index}`, childScript('stentor-node'));
  try {
    return { child, ...(await child.call<NodeListening>('start', { root: ROOT, flags: flags(variant, settings, natsUrl) })) };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

async function startOnMemory(variant: Variant, settings: StartSettings): Promise<RunningServer> {
  if (settings.nodes !== 1) throw new Error(`${variant.name}: the memory bus is one node's`);
  const node = await startNode(variant, settings, '', 0);
  const { child } = node;
  return {
    dialect: dialectOf(variant),
    ...(variant.users && { tokenSecret: TOKEN_SECRET }),
    ports: [node.port],
    pids: [child.pid],
    selfFed: true,
    feed: (plan) => child.call('feed', plan),
    flood: (flood) => child.call('flood', flood),
    metric: (name) => readMetric([node], name),
    stop: () => child.stop(),
  };
}

async function startOnNats(variant: Variant, settings: StartSettings): Promise<RunningServer> {
  const nats = await startNatsFeed();
  let nodes: Node[] = [];
  const stopNodes = () => Promise.all(nodes.map(({ child }) => child.stop()));
  const startNodes = async () => {
    nodes = [];
    for (let i = 0; i < settings.nodes; i++) nodes.push(await startNode(variant, settings, nats.server.url, i));
  };
  const stop = async () => {
    await stopNodes();
    await nats.stop();
  };
  await startNodes().catch((error) => stop().then(() => Promise.reject(error)));
  return {
    dialect: dialectOf(variant),
    brokerPid: nats.server.pid,
    get ports() {
      return nodes.map(({ port }) => port);
    },
    get pids() {
      return nodes.map(({ child }) => child.pid);
    },
    ...(variant.users && { tokenSecret: TOKEN_SECRET }),
    selfFed: false,
    natsUrl: nats.server.url,
    feed: nats.feed,
    flood: nats.flood,
    metric: (name) => readMetric(nodes, name),
    async restart() {
      await stopNodes();
      await startNodes();
    },
    stop,
  };
}

async function readMetric(nodes: readonly Node[], name: string): Promise<number> {
  let sum = 0;
  for (const { adminPort } of nodes) {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
    sum += sumOfMetric(await answer.text(), name);
  }
  return sum;
}

function dialectOf({ json = false, sse = false, parts = false }: Variant): DialectName {
  if (sse) return 'stentor-sse';
  if (parts) return 'stentor-parts';
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
  stentor({ name: 'stentor-presence', title: 'Stentor, memory bus, ephemeral, presence', bus: 'memory', durable: false, presence: true }),
  stentor({ name: 'stentor-users', title: 'Stentor, memory bus, ephemeral, users', bus: 'memory', durable: false, users: true }),
  stentor({
    name: 'stentor-users-presence',
    title: 'Stentor, memory bus, ephemeral, users, presence',
    bus: 'memory',
    durable: false,
    users: true,
    presence: true,
  }),
  stentor({ name: 'stentor-one', title: 'Stentor, memory bus, one process', bus: 'memory', durable: true, oneProcess: true }),
  stentor({ name: 'stentor-json', title: 'Stentor, memory bus, JSON', bus: 'memory', durable: true, json: true }),
  stentor({ name: 'stentor-parts', title: 'Stentor, memory bus, large items in parts', bus: 'memory', durable: true, parts: true }),
  stentor({ name: 'stentor-sse', title: 'Stentor, memory bus, SSE', bus: 'memory', durable: true, sse: true }),
  stentor({ name: 'stentor-nats', title: 'Stentor, NATS JetStream', bus: 'nats', durable: true }),
  stentor({ name: 'stentor-nats-whole', title: 'Stentor, NATS JetStream, whole namespaces', bus: 'nats', durable: true, whole: true }),
  stentor({ name: 'stentor-nats-users', title: 'Stentor, NATS JetStream, users', bus: 'nats', durable: true, users: true }),
  stentor({ name: 'stentor-nats-one', title: 'Stentor, NATS, ephemeral, one process', bus: 'nats', durable: false, oneProcess: true }),
  stentor({ name: 'stentor-nats-json', title: 'Stentor, NATS, ephemeral, JSON', bus: 'nats', durable: false, json: true }),
  stentor({
    name: 'stentor-nats-json-one',
    title: 'Stentor, NATS, ephemeral, JSON, one process',
    bus: 'nats',
    durable: false,
    json: true,
    oneProcess: true,
  }),
  stentor({ name: 'stentor-no-hooks', title: 'Stentor, NATS, ephemeral, users', bus: 'nats', durable: false, json: true, users: true }),
  ...(['nats', 'kept', 'code'] as const).map((hooks) =>
    stentor({
      name: `stentor-hooks-${hooks}`,
      title: `the same, hooks: ${hooks}`,
      bus: 'nats',
      durable: false,
      json: true,
      users: true,
      hooks,
    }),
  ),
  stentor({ name: 'stentor-nats-ephemeral', title: 'Stentor, NATS, ephemeral', bus: 'nats', durable: false }),
];
