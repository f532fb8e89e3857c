import { pack } from 'msgpackr';
import { makeToken } from '../swarm/token.ts';
import { turn, workerAlone } from './worker-alone.ts';

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

let topicNumber = 0;
const { open } = await workerAlone({
  settings: { 'auth.keys': [{ alg: 'HS256', secret: SECRET }], namespaces: { bench: { public: true } } },
  connectionsMax: CLIENTS,
  opened: () => ({ topicNumber: topicNumber++, ...SINCE, completeFrom: 1, items: [] }),
});

const tokens = Array.from({ length: CLIENTS }, (_, i) => makeToken(`user-${i}`, SECRET));
const messages = Array.from({ length: CLIENTS }, (_, i) =>
  pack({
    type: 'subscribeMany',
    epoch: SINCE.epoch,
    topics: Array.from({ length: TOPICS_EACH }, (_, place) => [place + 1, `bench.w${(i * 7 + place * 13) % TOPICS}`, SINCE.offset]),
  }),
);
async function come(from: number, to: number) {
  const came: ReturnType<typeof open>[] = [];
  for (let first = from; first < to; first += AT_ONCE) {
    const now = Array.from({ length: Math.min(AT_ONCE, to - first) }, (_, i) => open(tokens[first + i]));
    await turn();
    for (const [i, client] of now.entries()) client.send(messages[first + i]!);
    await turn();
    came.push(...now);
  }
  while (came.some(({ socket }) => socket.frames < 2)) await turn();
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
  for (const client of all) client.close();
}
process.exit();
