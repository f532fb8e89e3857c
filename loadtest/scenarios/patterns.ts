import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { WebSocket } from 'ws';
import { cpuSeconds } from '../core/proc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { paced } from '../measure/paced.ts';
import { type NatsNode, withNatsNode } from '../measure/with-nats-node.ts';
import type { Scenario } from './scenario.ts';

const MEMBERS = 2000;
const TOPICS = 20;
/** Of all topics together. */
const PUBLICATIONS_PER_SECOND = 100;
const SECONDS = 10;
const WARMUP_SECONDS = 5;
/** One in so many members looks at the times of what it gets. */
const TIMED = 100;
/** Connections that are opened at the same time. */
const CONNECTS_MAX = 50;

const NAMESPACES = { wild: { public: true, wildcards: true, history: { maxCount: 1000 } } };
const TOPIC_NAMES = Array.from({ length: TOPICS }, (_, n) => `wild.part.t${n}`);
const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  exact: TOPIC_NAMES,
  pattern: ['wild.part.*'],
};

interface Figures {
  readonly cpuUsPerDelivery: number;
  readonly bytesPerDelivery: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export const patterns: Scenario = {
  name: 'patterns',
  title: `What a pattern costs: ${MEMBERS} members of ${TOPICS} topics with JSON, by name and by one pattern`,
  describes: `${PUBLICATIONS_PER_SECOND} publications a second through NATS (JetStream) in turn to ${TOPICS} topics. Each run is both, and then both again the other way round: the mean of the two of each.`,
  servers: ['stentor-nats-json'],
  baseline: 'stentor-nats-json',
  targets: [],
  async run(server, pair, overrides) {
    const seconds = overrides.seconds ?? (overrides.quick ? 1 : SECONDS);
    const members = overrides.members ?? (overrides.quick ? MEMBERS / 20 : MEMBERS);
    const perSecond = overrides.rate ?? PUBLICATIONS_PER_SECOND;
    const all: Record<string, Figures[]> = { exact: [], pattern: [] };
    await withNatsNode(NAMESPACES, async (node) => {
      for (const name of ['exact', 'pattern', 'pattern', 'exact']) {
        const window = { ...node, members, perSecond, seconds };
        all[name]?.push(await measure(FOLLOWED[name] ?? [], window, overrides.quick ? 0 : WARMUP_SECONDS));
      }
    });
    const extra: Record<string, number> = {};
    for (const [name, figures] of Object.entries(all)) {
      const mean = (of: (one: Figures) => number) => figures.reduce((sum, one) => sum + of(one), 0) / figures.length;
      extra[`${name}: CPU us a delivery`] = mean(({ cpuUsPerDelivery }) => cpuUsPerDelivery);
      extra[`${name}: bytes a delivery`] = mean(({ bytesPerDelivery }) => bytesPerDelivery);
      extra[`${name}: p50 ms`] = mean(({ p50Ms }) => p50Ms);
      extra[`${name}: p99 ms`] = mean(({ p99Ms }) => p99Ms);
    }
    extra['pattern over exact: CPU'] = (extra['pattern: CPU us a delivery'] ?? 0) / (extra['exact: CPU us a delivery'] ?? 1);
    return emptyRun(server.name, pair, extra);
  },
};

interface Window extends NatsNode {
  readonly members: number;
  readonly perSecond: number;
  readonly seconds: number;
}

class Counted {
  bytes = 0;
  items = 0;
  readonly latenciesMs: number[] = [];

  clear(): void {
    this.bytes = this.items = this.latenciesMs.length = 0;
  }
}

async function measure(topics: readonly string[], window: Window, warmupSeconds: number): Promise<Figures> {
  const { url, producer, pids, members, perSecond, seconds } = window;
  const counted = new Counted();
  const sockets: WebSocket[] = [];
  for (let n = 0; n < members; n += CONNECTS_MAX) {
    const some = Array.from({ length: Math.min(CONNECTS_MAX, members - n) }, (_, at) =>
      subscribe(url, topics, counted, (n + at) % TIMED === 0),
    );
    sockets.push(...(await Promise.all(some)));
  }
  try {
    await publish(producer, perSecond, warmupSeconds);
    counted.clear();
    const cpuBefore = cpuSeconds(pids);
    const published = await publish(producer, perSecond, seconds);
    const timed = Math.ceil(members / TIMED);
    for (let waits = 0; counted.items < published * timed && waits < 100; waits++) await sleep(50);
    if (counted.items < published * timed) throw new Error(`${counted.items} of ${published * timed} items have arrived`);
    const deliveries = published * members;
    const times = counted.latenciesMs.sort((a, b) => a - b);
    return {
      cpuUsPerDelivery: ((cpuSeconds(pids) - cpuBefore) * 1e6) / deliveries,
      bytesPerDelivery: counted.bytes / deliveries,
      p50Ms: times[Math.floor(times.length / 2)] ?? 0,
      p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    };
  } finally {
    for (const socket of sockets) socket.terminate();
    await sleep(500);
  }
}

/** @returns how many */
async function publish(producer: NatsConnection, perSecond: number, seconds: number): Promise<number> {
  const js = jetstream(producer);
  const count = perSecond * seconds;
  await paced({ count, perSecond, everyMs: 2 }, (index) => {
    const data = { sentAtMs: performance.now(), pad: 'x'.repeat(80) };
    return js.publish(`feed.${TOPIC_NAMES[index % TOPICS]}`, JSON.stringify(data));
  });
  return count;
}

/** Resolves when all have been answered. */
function subscribe(url: string, topics: readonly string[], counted: Counted, isTimed: boolean): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'stentor.v1.json', { perMessageDeflate: false });
    let unanswered = topics.length;
    socket.on('open', () => socket.send(JSON.stringify(topics.map((topic, id) => ({ type: 'subscribe', id, topic })))));
    socket.on('message', (data: Buffer) => {
      if (unanswered > 0 && data.includes('"type":"subscribed"') && --unanswered === 0) return resolve(socket);
      if (unanswered > 0) return;
      counted.bytes += data.length;
      if (!isTimed) return;
      const nowMs = performance.now();
      for (const [, , { sentAtMs }] of JSON.parse(data.toString()).items ?? []) {
        counted.items++;
        counted.latenciesMs.push(nowMs - sentAtMs);
      }
    });
    socket.on('error', reject);
  });
}
