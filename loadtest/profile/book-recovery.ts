import { pack } from 'msgpackr';
import { loadConfig } from '../../src/config/load.ts';
import { Delivery } from '../../src/delivery/delivery.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import { PublicationMessage } from '../../src/link/messages.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import { Connections } from '../../src/session/connections.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import type { ClientSocket } from '../../src/transport/transport.ts';
import { WorkerMetrics } from '../../src/worker/worker-metrics.ts';
import { BookGenerator } from '../../test/support/order-book.ts';
import { seedMathRandom } from '../../test/support/seed.ts';

/**
 * What a worker does for 10,000 clients that return to one book at random offsets, without sockets and without a hub, for profiles. Prints the CPU and the bytes
 * of each client, and what the live feed that goes on meanwhile costs.
 *
 *     npx esbuild loadtest/profile/book-recovery.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/book-recovery.mjs
 *     node --cpu-prof --cpu-prof-dir=.cache .cache/book-recovery.mjs
 */
const CLIENTS = Number(process.env.CLIENTS ?? 10_000);
const CHANGES = 2500;
const LEVELS = 1000;
const TOPIC = 'books.large';
const EPOCH = 'abcdefgh12';
/** Clients whose requests the worker gets at once. */
const AT_ONCE = 50;
const ROUNDS = 3;

class Sink implements ClientSocket {
  readonly isNative = true;
  readonly bufferedBytes = 0;
  isOpen = true;
  static frames = 0;
  static bytes = 0;
  send(bytes: Uint8Array): boolean {
    Sink.frames++;
    Sink.bytes += bytes.length;
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

seedMathRandom(Number(process.env.SEED ?? 1));
const namespaces = { books: { public: true, state: 'document', slowConsumer: 'conflate' } };
const { config } = loadConfig({ env: {}, flags: { 'log.level': 'silent', namespaces } });
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
  connectionsMax: 2 * CLIENTS,
  delivery,
  authenticator,
  metrics,
  logger,
  whyUnavailable: () => undefined,
  onOpened: () => undefined,
  onBug,
});
const book = new BookGenerator(LEVELS, 0, true);
let offset = 1;
const image = { offset, key: null, data: pack(book.image().patch), publishedAtMs: Date.now() };
hubEnd.onMessages((messages) => {
  for (const message of messages) {
    if (message.kind !== 'open') continue;
    delivery.receive([
      { kind: 'opened', topic: message.topic, topicNumber: 1, epoch: EPOCH, offset, completeFrom: offset, items: [image] },
    ]);
  }
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

function change(): void {
  const item = { offset: offset + 1, key: null, data: pack(book.patch().patch), publishedAtMs: Date.now(), patch: true as const };
  delivery.receive([new PublicationMessage(1, offset, item)]);
  offset++;
}

function open() {
  const socket = new Sink();
  const connection = connections.accept({ socket, address: '', encoding: 'msgpack' });
  connections.opened(connection, undefined);
  return { socket, connection };
}

function subscribe({ connection }: ReturnType<typeof open>, since: number): void {
  const message = pack({ type: 'subscribe', id: 1, topic: TOPIC, since: { epoch: EPOCH, offset: since } });
  connections.message(connection, Uint8Array.from(message).buffer, true);
}

const first = open();
subscribe(first, offset);
await turn();
for (let n = 0; n < CHANGES; n++) {
  change();
  if (n % 50 === 0) await turn();
}
await turn();

for (let round = 0; round < ROUNDS; round++) {
  const clients = Array.from({ length: CLIENTS }, open);
  await turn();
  const [frames, bytes, startMs, before] = [Sink.frames, Sink.bytes, performance.now(), process.cpuUsage()];
  for (let from = 0; from < CLIENTS; from += AT_ONCE) {
    for (const client of clients.slice(from, from + AT_ONCE)) subscribe(client, 1 + Math.floor(Math.random() * (offset - 1)));
    await turn();
  }
  // Counting them takes long, so it is not done in every turn.
  const turns = async (count: number) => {
    for (let n = 0; n < count; n++) await turn();
  };
  while (delivery.slowConsumers.startingCount > 0) await turns(50);
  const { user, system } = process.cpuUsage(before);
  const each = (value: number) => (value / CLIENTS).toFixed(1);
  console.log(
    `${CLIENTS} clients: ${each(user + system)} µs of CPU, ${each(Sink.frames - frames)} frames and ${each(Sink.bytes - bytes)} bytes each; ${(performance.now() - startMs).toFixed(0)} ms`,
  );
  for (const { socket, connection } of clients) {
    socket.isOpen = false;
    connections.closed(connection, 1000, new ArrayBuffer(0));
  }
}
process.exit();
