import { isDeepStrictEqual } from 'node:util';
import { cpuSeconds, processTree } from '../../../loadtest/core/proc.ts';
import { inTurns } from '../../../src/hub/in-turns.ts';
import { BookGenerator } from '../../support/order-book.ts';
import { until } from '../../support/until.ts';
import { BookFeed } from '../documents/book-feed.ts';
import { type BookPosition, ReturningClient } from '../documents/returning-client.ts';
import type { FaultRun } from '../fault-run.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const TOPIC = 'books.large';
const LEVELS = 1000;
/** Changes that clients may have missed. The ring has them. */
const CHANGES = 2500;
/** One in so many of them is a position from which clients return. */
const POSITIONS = 5;
const RECOVERED_MAX_MS = 5000;
/** One in so many clients has the document of its position, and folds it on: more would need the cores that the node needs. */
const FOLDING = 500;
const CONNECTS_MAX = 200;
const REACH_TIMEOUT_MS = 60_000;
/** In which the changes alone are measured, to those who are back. */
const LIVE_SECONDS = 2;

interface State extends BookPosition {
  /** The book there. */
  readonly book: unknown;
}

export const bookRecovery: Scenario = {
  number: 29,
  title: '10,000 clients return to one book at random offsets: at a running node, and at one that was killed',
  pass: 'all recovered ≤ 5 s after the first asked; every folded book is the producer’s',
  size: { clients: 10_000, ratePerSecond: 20, topics: 1, quick: false },
  timeoutMs: 180_000,
  async execute(run, size) {
    const nats = await run.nats();
    const node = await run.node([nats.url], {
      settings: { workers: 2, namespaces: { books: { public: true, state: 'document', slowConsumer: 'conflate' } } },
    });
    const feed = await BookFeed.begin(nats.url, new Map([[TOPIC, { source: new BookGenerator(LEVELS, 0, true) }]]), String(run.seed));
    run.onEnd(() => feed.close());
    const states = await changes(run, feed, node, size.quick ? 300 : CHANGES);
    run.figure('documentBytes', Buffer.byteLength(JSON.stringify(feed.topics[0]?.book)));
    const { clients, ratePerSecond } = size;
    const how = { node, feed, states, clients, ratePerSecond, liveSeconds: size.quick ? 0.1 : LIVE_SECONDS };
    await returnAll(run, { ...how, name: 'running' });
    await node.kill9();
    await node.start();
    await returnAll(run, { ...how, name: 'killed' });
  },
};

/** Publishes changes while somebody follows the book, so that the node has them. @returns the book after each */
async function changes(run: FaultRun, feed: BookFeed, { port }: RestartableNode, count: number): Promise<State[]> {
  const there = await ReturningClient.connect(port, TOPIC, { epoch: '', offset: 0 }, undefined);
  run.onEnd(() => there.close());
  there.subscribe();
  await until('the first to be there', () => there.recoveredAtMs !== undefined);
  const [topic] = feed.topics as [BookFeed['topics'][0]];
  const states: State[] = [];
  for (let n = 0; n < count; n++) {
    await topic.change();
    if (n % POSITIONS === 0) states.push({ epoch: '', offset: topic.offset, book: topic.book });
  }
  await until('the first to have everything', () => there.offset >= topic.offset);
  return states.map((state) => ({ ...state, epoch: there.epoch }));
}

interface Return {
  readonly node: RestartableNode;
  readonly feed: BookFeed;
  readonly states: readonly State[];
  readonly clients: number;
  readonly ratePerSecond: number;
  readonly name: string;
  readonly liveSeconds: number;
}

async function returnAll(run: FaultRun, { node, feed, states, clients: count, ratePerSecond, name, liveSeconds }: Return): Promise<void> {
  const clients: ReturningClient[] = [];
  await inTurns(Array(count).keys(), CONNECTS_MAX, async (n) => {
    const state = states[Math.floor(Math.random() * states.length)] as State;
    clients.push(await ReturningClient.connect(node.port, TOPIC, state, n % FOLDING === 0 ? state.book : undefined));
  });
  feed.start(ratePerSecond);
  // The clients share the cores with the node.
  const cpuOfNode = cpuMsOf(processTree([node.pid]));
  const cpuOfClients = cpuMsOf([process.pid]);
  const startMs = performance.now();
  for (const client of clients) client.subscribe();
  await until('all to be recovered', () => clients.every(({ recoveredAtMs }) => recoveredAtMs !== undefined)).catch(() =>
    run.fail(`${clients.filter(({ recoveredAtMs }) => recoveredAtMs === undefined).length} clients are not recovered (${name})`),
  );
  run.figure(`${name}NodeCpuMs`, cpuOfNode());
  run.figure(`${name}ClientsCpuMs`, cpuOfClients());
  const times = clients.map(({ recoveredAtMs = startMs + REACH_TIMEOUT_MS }) => recoveredAtMs - startMs).sort((a, b) => a - b);
  run.figure(`${name}P50Ms`, times[Math.floor(times.length / 2)] ?? 0);
  run.limitMs(`${name}AllMs`, times.at(-1) ?? 0, RECOVERED_MAX_MS);
  run.figure(`${name}BytesEach`, clients.reduce((sum, { recoveryBytes }) => sum + recoveryBytes, 0) / count);
  await measureLive(run, node, name, liveSeconds);
  await feed.pause();
  const [{ offset, book }] = feed.topics as [BookFeed['topics'][0]];
  await until('all to have the last change', () => clients.every((client) => client.offset >= offset));
  const folding = clients.flatMap(({ follower }) => follower ?? []);
  run.none({
    [`${name}NotRecovered`]: clients.filter(({ recovered }) => !recovered).length,
    gaps: clients.reduce((sum, { gaps }) => sum + gaps, 0),
    wrongBooks: folding.filter((follower) => !isDeepStrictEqual(follower.document, book)).length,
  });
  for (const client of clients) client.close();
}

/** What the changes alone take of a core: while clients return, those who are back get them. */
async function measureLive(run: FaultRun, { pid }: RestartableNode, name: string, durationSeconds: number): Promise<void> {
  const cpuOfNode = cpuMsOf(processTree([pid]));
  const cpuOfClients = cpuMsOf([process.pid]);
  const startMs = performance.now();
  await seconds(durationSeconds);
  const elapsedMs = performance.now() - startMs;
  run.figure(`${name}LiveNodePercent`, (100 * cpuOfNode()) / elapsedMs);
  run.figure(`${name}LiveClientsPercent`, (100 * cpuOfClients()) / elapsedMs);
}

/** @returns what these processes have used since */
function cpuMsOf(pids: readonly number[]): () => number {
  const before = cpuSeconds(pids);
  return () => (cpuSeconds(pids) - before) * 1000;
}
