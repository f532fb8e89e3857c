import { jetstream } from '@nats-io/jetstream';
import { WebSocket } from 'ws';
import { AttackProcess } from '../attack-process.ts';
import { type FaultRun, NAMESPACE, topicsOf } from '../fault-run.ts';
import { LatencyProbe } from '../latency-probe.ts';
import { MemoryWatch } from '../memory-watch.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario, Size } from '../scenario.ts';
import { withNats } from '../store.ts';
import { seconds } from '../time.ts';

/** A public topic with 4 MB of history, which a client asks for with 60 bytes. */
const HISTORY = { topic: 'big.a', items: 10_000, bytes: 400 };
/** Topics with 256 KB each, in all more than the link to a worker may hold. */
const PAST = { count: 128, items: 32, bytes: 8000 };
/** Topics whose state has 1,000 keys. */
const STATE = { count: 8, keys: 1000, bytes: 300 };

/** A member hardly waits longer than without the attack; the machine has other work than ours. */
const FEW_MS = 250;
const CALM_TIMES_MAX = 3;
/** What a node may take for answers: its budgets, twice (what is encoded, and what is not collected yet), and room for V8. */
const MEMORY_MAX_MB = 400;

interface Part {
  readonly name: string;
  readonly commands: (epochs: ReadonlyMap<string, string>) => object[];
  readonly reads: boolean;
}

const history = (count: number) => () =>
  Array.from({ length: count }, (_, id) => ({ type: 'history', id, topic: HISTORY.topic, last: HISTORY.items }));

const PARTS: readonly Part[] = [
  { name: 'history70Unread', commands: history(70), reads: false },
  { name: 'history190Unread', commands: history(190), reads: false },
  { name: 'history190Read', commands: history(190), reads: true },
  {
    name: 'farSince',
    commands: (epochs) =>
      Array.from({ length: PAST.count }, (_, id) => ({
        type: 'subscribe',
        id,
        topic: `past.t${id}`,
        since: { epoch: epochs.get('past') ?? '', offset: 1 },
      })),
    reads: false,
  },
  {
    name: 'snapshots',
    commands: () =>
      Array.from({ length: 100 }, (_, id) => ({ type: 'subscribe', id, topic: `state.t${id % STATE.count}`, snapshot: true })),
    reads: false,
  },
];

export const answersFlood: Scenario = {
  number: 21,
  title: 'anonymous clients ask for far more than they read: history, recovery, snapshots',
  pass: 'no worker is killed; other clients are not affected; memory stays within the budgets',
  size: { clients: 500, ratePerSecond: 200, topics: 2, quick: false },
  timeoutMs: 300_000,
  async execute(run, size) {
    for (const workers of [1, 0]) await withWorkers(run, size, workers);
  },
};

async function withWorkers(run: FaultRun, size: Size, workers: number): Promise<void> {
  const nats = await run.nats();
  const urls = [nats.url];
  const topics = topicsOf(size.topics);
  const kept = { public: true, history: { maxCount: 100_000 } };
  const namespaces = {
    [NAMESPACE]: { ...kept, history: { maxCount: 1_000_000 } },
    big: kept,
    past: kept,
    state: { ...kept, state: 'keyed' },
  };
  const node = await run.node(urls, { settings: { workers, namespaces, 'limits.messagesPerSecondMax': 1000 } });
  await fill(urls);
  const epochs = new Map([['past', await epochOf(node, 'past.t0')]]);
  const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
  // To this node alone: those of the round before have ended.
  const swarm = await run.swarm({ clients: size.clients, topics, ports: [node.port] });
  const probe = new LatencyProbe(node.port, topics);
  const attacker = new AttackProcess();
  run.onEnd(() => Promise.all([probe.stop(), attacker.stop()]));
  await probe.start();
  feed.start();
  await seconds(size.quick ? 1 : 3);
  const name = (text: string) => `${text}${workers === 0 ? 'InProcess' : ''}`;
  const calmMs = probe.takeP99Ms().p99Ms;
  run.figure(name('calmP99Ms'), calmMs);
  for (const part of PARTS) {
    const memory = new MemoryWatch(() => [node.pid, ...node.workerPids]);
    const before = node.workerPids.join();
    const report = await attacker.attack({
      ports: [node.port],
      commands: part.commands(epochs),
      reads: part.reads,
      seconds: size.quick ? 1 : 10,
      atOnce: 1,
    });
    memory.stop();
    const { p99Ms, count } = probe.takeP99Ms();
    run.say(JSON.stringify({ workers, part: part.name, p99Ms, count, ...memory.most, ...report }));
    run.limitMs(name(`${part.name}P99Ms`), p99Ms, Math.max(FEW_MS, CALM_TIMES_MAX * calmMs));
    run.limit(name(`${part.name}HubMb`), memory.most.first, MEMORY_MAX_MB);
    if (workers > 0) run.limit(name(`${part.name}WorkerMb`), memory.most.others, MEMORY_MAX_MB);
    run.expect(before === node.workerPids.join(), `${part.name}: the worker was killed`);
    run.figure(name('largestFrameBytes'), report.largestFrameBytes);
  }
  run.limit(name('probeEnds'), probe.ends, 0);
  run.limit(name('workersKilled'), await node.metric('stentor_worker_restarts_total'), 0);
  await run.judge({ urls, swarm, size, feed });
  probe.stop();
  await node.kill9();
}

/** Publishes what there is to ask for. */
async function fill(urls: readonly string[]): Promise<void> {
  await withNats(urls, async (nc) => {
    const js = jetstream(nc);
    const publish = (subject: string, bytes: number) => js.publish(subject, JSON.stringify({ pad: 'x'.repeat(bytes) }));
    const subjects = [
      ...Array.from({ length: HISTORY.items }, () => [`feed.${HISTORY.topic}`, HISTORY.bytes] as const),
      ...Array.from({ length: PAST.count * PAST.items }, (_, i) => [`feed.past.t${i % PAST.count}`, PAST.bytes] as const),
      ...Array.from({ length: STATE.count * STATE.keys }, (_, i) => {
        return [`feed.state.t${i % STATE.count}.k${Math.floor(i / STATE.count)}`, STATE.bytes] as const;
      }),
    ];
    for (let at = 0; at < subjects.length; at += 500) {
      await Promise.all(subjects.slice(at, at + 500).map(([subject, bytes]) => publish(subject, bytes)));
    }
  });
}

/** What a client would have seen before. */
async function epochOf(node: RestartableNode, topic: string): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${node.port}/ws`, ['stentor.v1.json']);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send(JSON.stringify({ type: 'subscribe', id: 1, topic })));
    socket.once('message', (data: Buffer) => {
      socket.close();
      resolve((JSON.parse(data.toString()) as { epoch: string }).epoch);
    });
  });
}
