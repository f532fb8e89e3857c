import { makeToken } from '../../../../loadtest/swarm/token.ts';
import type { NatsServer } from '../../../support/nats-server.ts';
import { TestClient } from '../../../support/test-client.ts';
import { SECRET } from '../../../support/tokens.ts';
import { CrowdProcess } from '../../crowd-process.ts';
import type { FaultRun, NodeSettings } from '../../fault-run.ts';
import { roomOf, userName } from '../../people/topics.ts';
import type { RestartableNode } from '../../restartable-node.ts';
import type { Size } from '../../scenario.ts';
import { Services } from './services.ts';

export const CONNECTIONS_MAX = 5;
export const GRACE_MS = 3000;
/** A node that is gone is noticed within this time (`presence/exchange.ts`). */
export const DEAD_MS = 5000;
const ROOMS = 12;
/** Time for the whole crowd to come back when many did not have to wait for the CPU. */
export const SETTLE_TIMEOUT_MS = 60_000;

const hooks = { timeoutMs: 5000 };
export const NODE: NodeSettings = {
  settings: {
    namespaces: {
      user: { durable: false, clientPublish: true },
      room: { durable: true, clientPublish: true, presence: 'members' },
      hall: { durable: false, public: true, presence: 'count' },
      talk: {
        durable: false,
        clientPublish: true,
        sanitize: 'text',
        hooks: { ...hooks, subscribe: 'nats:hooks.all', publish: 'nats:hooks.all' },
      },
      silent: { durable: false, hooks: { timeoutMs: 200, subscribe: 'nats:hooks.silent' } },
    },
    'hooks.connect': 'nats:hooks.all',
    'hooks.disconnect': 'nats:hooks.all',
    'hooks.timeoutMs': hooks.timeoutMs,
    'auth.revocations': 'accept',
    'limits.connectionsPerUserMax': CONNECTIONS_MAX,
    'limits.callsPerSecondMax': 10,
    'limits.messagesPerSecondMax': 1000,
    'tuning.presence.graceMs': GRACE_MS,
  },
};

/** Three nodes on one NATS server, users with connections to all of them, and one client to each node that only asks. */
export interface Community {
  readonly run: FaultRun;
  readonly size: Size;
  readonly nats: NatsServer;
  readonly nodes: readonly [RestartableNode, RestartableNode, RestartableNode];
  readonly crowd: CrowdProcess;
  readonly services: Services;
  readonly rooms: readonly string[];
  readonly users: readonly string[];
  /** Users with one connection. */
  readonly singles: readonly string[];
}

export async function startCommunity(run: FaultRun, size: Size): Promise<Community> {
  const nats = await run.nats();
  const services = await Services.start(nats.url);
  run.onEnd(() => services.close());
  const nodes = await run.threeNodes([nats.url], NODE);
  const count = Math.floor(size.clients / CONNECTIONS_MAX);
  const singles = Math.ceil(count / 10);
  const crowd = await CrowdProcess.start({
    users: count,
    singles,
    connectionsPerUser: CONNECTIONS_MAX,
    ports: nodes.map(({ port }) => port),
    tokenSecret: SECRET,
    rooms: ROOMS,
    graceMs: GRACE_MS,
    connectionsMax: CONNECTIONS_MAX,
    inFlightMax: 100,
    seed: run.seed,
  });
  run.onEnd(() => crowd.stop());
  const names = Array.from({ length: count + singles }, (_, i) => userName(i));
  return {
    ...{ run, size, nats, nodes, crowd, services },
    rooms: Array.from({ length: ROOMS }, (_, i) => roomOf(i)),
    users: names.slice(0, count),
    singles: names.slice(count),
  };
}

/** A client of its own, which is connected and not part of the crowd. */
export async function visit(node: RestartableNode, sub: string): Promise<TestClient> {
  const client = await TestClient.connect(node.url, {
    encoding: 'msgpack',
    token: makeToken(sub, SECRET, { call: ['>'], publish: ['>', 'user.*'] }),
  });
  await client.next('connected');
  return client;
}

/** Of a client that is not let in. */
export async function refusedAs(
  node: RestartableNode,
  sub: string,
  iat?: number,
): Promise<{ readonly code: string; readonly closed: number }> {
  const token = makeToken(sub, SECRET, iat === undefined ? {} : { iat });
  const client = await TestClient.connect(node.url, { encoding: 'msgpack', token });
  const { code } = await client.closed;
  const error = client.messages.find((message) => message.type === 'error') as { readonly code?: string } | undefined;
  return { code: error?.code ?? 'no error', closed: code };
}

/** One visitor at each of the nodes, closed at the end. */
export async function withVisitors<T>(nodes: readonly RestartableNode[], use: (visitors: readonly TestClient[]) => Promise<T>): Promise<T> {
  const visitors = await Promise.all(nodes.map((node, i) => visit(node, `visitor-${i}`)));
  try {
    return await use(visitors);
  } finally {
    await Promise.all(visitors.map((visitor) => visitor.close()));
  }
}

/** @returns so many of the list, rounded up, by chance */
export function some<T>(list: readonly T[], count: number): T[] {
  const left = [...list];
  return Array.from(
    { length: Math.min(Math.ceil(count), left.length) },
    () => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T,
  );
}
