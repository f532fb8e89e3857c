import { pack } from 'msgpackr';
import { PublicationMessage } from '../../src/link/publication-message.ts';
import { BookGenerator } from '../../test/support/order-book.ts';
import { seedMathRandom } from '../../test/support/seed.ts';
import { turn, workerAlone } from './worker-alone.ts';

/**
 * What a worker does for 10,000 clients that return to one book at random offsets, without sockets and without a hub, for profiles. Prints the CPU, the
 * frames and the bytes of each client.
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

seedMathRandom(Number(process.env.SEED ?? 1));
const book = new BookGenerator(LEVELS, 0, true);
let offset = 1;
const image = { offset, key: null, data: pack(book.image().patch), publishedAtMs: Date.now() };
const { delivery, open } = await workerAlone({
  settings: { namespaces: { books: { public: true, state: 'document', slowConsumer: 'conflate' } } },
  connectionsMax: 2 * CLIENTS,
  opened: () => ({ topicNumber: 1, epoch: EPOCH, offset, completeFrom: offset, items: [image] }),
});

function change(): void {
  const item = { offset: offset + 1, key: null, data: pack(book.patch().patch), publishedAtMs: Date.now(), patch: true as const };
  delivery.receive([new PublicationMessage(1, offset, item)]);
  offset++;
}

function subscribe(client: ReturnType<typeof open>, since: number): void {
  client.send(pack({ type: 'subscribe', id: 1, topic: TOPIC, since: { epoch: EPOCH, offset: since } }));
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
  const clients = Array.from({ length: CLIENTS }, () => open());
  const sum = (of: 'frames' | 'bytes') => clients.reduce((total, { socket }) => total + socket[of], 0);
  await turn();
  const [frames, bytes, startMs, before] = [sum('frames'), sum('bytes'), performance.now(), process.cpuUsage()];
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
    `${CLIENTS} clients: ${each(user + system)} µs of CPU, ${each(sum('frames') - frames)} frames and ${each(sum('bytes') - bytes)} bytes each; ${(performance.now() - startMs).toFixed(0)} ms`,
  );
  for (const client of clients) client.close();
}
process.exit();
