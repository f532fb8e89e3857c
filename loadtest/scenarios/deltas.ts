import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import { WebSocket } from 'ws';
import { type ChangingValues, changingValues, largeBook } from '../core/changing-values.ts';
import { cpuSeconds } from '../core/proc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { paced } from '../measure/paced.ts';
import { type NatsNode, withNatsNode } from '../measure/with-nats-node.ts';
import type { Scenario } from './scenario.ts';

const MEMBERS = 100;
const SECONDS = 5;
const PUBLICATIONS_PER_SECOND = 100;
const BOOK_UPDATES_PER_SECOND = 1000;
const RATES = [1, 5, 10, 20, 50];

const NAMESPACES = {
  ticks: { public: true, state: 'keyed', delta: 'fields', maxPayloadBytes: 1_000_000, history: { maxCount: 100 } },
  values: { public: true, delta: 'fields', maxPayloadBytes: 1_000_000, history: { maxCount: 1000 } },
  books: { public: true, state: 'document', maxPayloadBytes: 1_000_000, history: { maxCount: 100_000 } },
};

interface Window extends NatsNode {
  readonly seconds: number;
}

interface Plan {
  readonly topic: string;
  readonly values: ChangingValues;
  readonly as: 'value' | 'patch';
  readonly perSecond: number;
  /** Options of `subscribe`, one for each member. */
  readonly members: readonly object[];
}

interface Figures {
  readonly bytesPerDelivery: number;
  readonly cpuUsPerDelivery: number;
  readonly cpuMsPerSecond: number;
}

export const deltas: Scenario = {
  name: 'deltas',
  title: `What deltas save: ticks, a match and order books, ${MEMBERS} members with JSON`,
  describes:
    `${PUBLICATIONS_PER_SECOND} whole values a second through NATS, with and without \`delta: true\`; then one book (document) with ` +
    `${BOOK_UPDATES_PER_SECOND} patches a second, for members without a rate and in five rate classes. The values are made up; with \`$BENCH_DATA\` they are those of files.`,
  servers: ['stentor-nats-json'],
  baseline: 'stentor-nats-json',
  targets: [],
  async run(server, pair, overrides) {
    const seconds = overrides.seconds ?? (overrides.quick ? 1 : SECONDS);
    const extra: Record<string, number> = {};
    await withNatsNode(NAMESPACES, async (node) => {
      const window = { ...node, seconds };
      for (const values of changingValues()) {
        for (const delta of [false, true]) {
          const name = `${values.name}${delta ? ', deltas' : ''}`;
          const topic = `${values.key === null ? 'values' : 'ticks'}.${name.replace(/\W/g, '-')}`;
          const members = Array.from({ length: MEMBERS }, () => (delta ? { delta } : { snapshot: true }));
          note(extra, name, await measure({ topic, values, as: 'value', perSecond: PUBLICATIONS_PER_SECOND, members }, window));
        }
      }
      const rates: readonly (readonly [string, readonly object[]])[] = [
        ['nobody', []],
        ['one member', [{}]],
        ['five rate classes', RATES.map((maxRateHz) => ({ maxRateHz }))],
      ];
      for (const [name, members] of rates) {
        const plan = {
          topic: `books.${name.replace(/ /g, '-')}`,
          values: largeBook(),
          as: 'patch',
          perSecond: BOOK_UPDATES_PER_SECOND,
        } as const;
        note(extra, `document, ${name}`, await measure({ ...plan, members: [...members] }, window));
      }
    });
    return emptyRun(server.name, pair, extra);
  },
};

function note(extra: Record<string, number>, name: string, { bytesPerDelivery, cpuUsPerDelivery, cpuMsPerSecond }: Figures): void {
  extra[`${name}: bytes a delivery`] = bytesPerDelivery;
  extra[`${name}: CPU us a delivery`] = cpuUsPerDelivery;
  extra[`${name}: CPU ms a second`] = cpuMsPerSecond;
}

async function measure({ topic, values, as, perSecond, members }: Plan, { url, producer, pids, seconds }: Window): Promise<Figures> {
  const js = jetstream(producer);
  const subject = `feed.${topic}${values.key === null ? '' : `.${values.key}`}`;
  const payloads = Array.from({ length: perSecond * seconds + 1 }, () => JSON.stringify(values.next()[as]));
  await js.publish(subject, payloads[0] as string);
  const counted = { bytes: 0, frames: 0 };
  const sockets = await Promise.all(members.map((options) => subscribe(url, { topic, ...options }, counted)));
  counted.bytes = counted.frames = 0;
  const cpuBefore = cpuSeconds(pids);
  const startedMs = performance.now();
  const pace = { count: payloads.length - 1, perSecond, everyMs: 5 };
  await paced(pace, (index) => js.publish(subject, payloads[index + 1] as string));
  // The slowest rate class sends the rest.
  await sleep(1200);
  const cpu = cpuSeconds(pids) - cpuBefore;
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  for (const socket of sockets) socket.terminate();
  const deliveries = Math.max(1, (payloads.length - 1) * members.length);
  return {
    bytesPerDelivery: counted.bytes / deliveries,
    cpuUsPerDelivery: (cpu * 1e6) / deliveries,
    cpuMsPerSecond: (cpu * 1000) / elapsedSeconds,
  };
}

function subscribe(url: string, options: object, counted: { bytes: number; frames: number }): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'stentor.v1.json');
    socket.on('open', () => socket.send(JSON.stringify({ type: 'subscribe', id: 1, ...options })));
    socket.on('message', (data: Buffer) => {
      counted.bytes += data.length;
      counted.frames++;
      if (data.includes('"type":"subscribed"')) resolve(socket);
    });
    socket.on('error', reject);
  });
}
