import { pack } from 'msgpackr';
import { loadConfig } from '../../src/config/load.ts';
import { Delivery } from '../../src/delivery/delivery.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import { Connections } from '../../src/session/connections.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import type { ClientSocket } from '../../src/transport/transport.ts';
import { WorkerMetrics } from '../../src/worker/worker-metrics.ts';
import { makeToken } from '../swarm/token.ts';

/**
 * What a worker does for returning clients, without sockets and without a hub, for profiles: the clients have a token and subscribe to 10 of 100 topics, each
 * with its position, and nothing is missing. Prints the CPU of each 500 clients, cold and warm.
 *
 *     npx esbuild loadtest/profile/admission.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/admission.mjs
 *     node --cpu-prof --cpu-prof-dir=.cache .cache/admission.mjs
 */
const CLIENTS = 1500;
const AT_ONCE = 10;
const GROUP = 500;
const ROUNDS = 4;
const TOPICS = 100;
const TOPICS_EACH = 10;
const SECRET = 'a-secret-of-the-benchmark-with-32-bytes';
const SINCE = { epoch: 'abcdefgh12', offset: 1 };

class Sink implements ClientSocket {
  readonly isNative = true;
  readonly bufferedBytes = 0;
  isOpen = true;
  frames = 0;
  send(): boolean {
    this.frames++;
    return true;
  }
  cork(work: () => void): void {
    work();
  }
  join(): void {}
  leave(): void {}
  publishToOthers(): void {}
  ping(): void {}
  end(): void {
    this.isOpen = false;
  }
  cut(): void {
    this.isOpen = false;
  }
}

const { config } = loadConfig({
  env: {},
  flags: { 'auth.keys': [{ alg: 'HS256', secret: SECRET }], 'log.level': 'silent', namespaces: { bench: { public: true } } },
});
const logger = createLogger(config.log);
const authenticator = await Authenticator.create({ auth: { ...config.auth, ...config.tuning.auth }, logger });
const { hubEnd, workerEnd } = createInProcessLink();
const metrics = new WorkerMetrics(0);
const onBug = (error: Error) => {
  throw error;
};
const delivery = new Delivery({
  config,
  link: workerEnd,
  publish: () => undefined,
  receiverOf: (id) => connections.find(id)?.receiver,
  metrics,
  onWorkerMessage: () => undefined,
  onBug,
});
const connections = new Connections({
  config,
  nodeId: 'node',
  idPrefix: 'c.',
  connectionsMax: CLIENTS,
  delivery,
  authenticator,
  metrics,
  logger,
  whyUnavailable: () => undefined,
  onOpened: () => undefined,
  onBug,
});
let topicNumber = 0;
hubEnd.onMessages((messages) => {
  for (const message of messages) {
    if (message.kind !== 'open') continue;
    delivery.receive([{ kind: 'opened', topic: message.topic, topicNumber: topicNumber++, ...SINCE, completeFrom: 1, items: [] }]);
  }
});

const tokens = Array.from({ length: CLIENTS }, (_, i) => makeToken(`user-${i}`, SECRET));
const messages = Array.from({ length: CLIENTS }, (_, i) =>
  pack(
    Array.from({ length: TOPICS_EACH }, (_, place) => {
      return { type: 'subscribe', id: place + 1, topic: `bench.w${(i * 7 + place * 13) % TOPICS}`, since: SINCE };
    }),
  ),
);
const turn = () => new Promise((resolve) => setImmediate(resolve));

function open(client: number) {
  const socket = new Sink();
  authenticator.flawOf(tokens[client]!);
  const connection = connections.accept({ socket, address: '', encoding: 'msgpack' });
  connections.opened(connection, tokens[client]);
  return { client, socket, connection };
}

async function come(from: number, to: number) {
  const came: ReturnType<typeof open>[] = [];
  for (let first = from; first < to; first += AT_ONCE) {
    const now = Array.from({ length: Math.min(AT_ONCE, to - first) }, (_, i) => open(first + i));
    await turn();
    for (const { client, connection } of now) connections.message(connection, Uint8Array.from(messages[client]!).buffer, true);
    await turn();
    came.push(...now);
  }
  while (came.some(({ socket }) => socket.frames <= TOPICS_EACH)) await turn();
  return came;
}

for (let round = 0; round < ROUNDS; round++) {
  const all: ReturnType<typeof open>[] = [];
  for (let from = 0; from < CLIENTS; from += GROUP) {
    const before = process.cpuUsage();
    all.push(...(await come(from, from + GROUP)));
    const { user, system } = process.cpuUsage(before);
    console.log(`${round * CLIENTS + from + GROUP} clients: ${((user + system) / GROUP).toFixed(0)} µs each of the last ${GROUP}`);
  }
  for (const { socket, connection } of all) {
    socket.isOpen = false;
    connections.closed(connection, 1000, new ArrayBuffer(0));
  }
}
process.exit();
