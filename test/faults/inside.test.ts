import { expect, it, onTestFinished } from 'vitest';
import { NodeProcess } from '../support/node-process.ts';
import { slope } from '../support/slope.ts';
import { until } from '../support/until.ts';
import { gaugesOf } from './inside/gauges.ts';
import { Inside } from './inside/inside.ts';

/** Enough for topics of uWebSockets. */
const CLIENTS = 40;

it('sees what clients hold in a process of a node, and that it is gone when they have left', async () => {
  const inside = new Inside();
  onTestFinished(() => inside.end());
  const node = NodeProcess.launch({ workers: 1, namespaces: { room: { public: true } } }, { env: inside.env });
  onTestFinished(() => node.stop());
  await node.untilStarted(1);
  const [worker] = node.workerPids as [number];
  const before = await inside.look(worker);
  expect(before.heapBytes).toBeGreaterThan(0);

  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => node.connect()));
  for (const client of clients) {
    client.send({ type: 'connect', id: 0 });
    await client.subscribe('room.a');
  }
  const during = await inside.look(worker);
  expect(during).toMatchObject({ sockets: CLIENTS, descriptors: before.descriptors + CLIENTS });
  expect(during.nativeTopics).toBeGreaterThan(before.nativeTopics);

  await Promise.all(clients.map((client) => client.close()));
  await until('everything to be as before', async () => {
    const { sockets, descriptors, nativeTopics } = await inside.look(worker);
    return sockets === 0 && descriptors === before.descriptors && nativeTopics === before.nativeTopics;
  });
});

it('reads from the metrics of a node how much there is of everything, and leaves out what has no rest', () => {
  const text = [
    '# TYPE stentor_topics gauge',
    'stentor_topics 3',
    '# TYPE stentor_connections gauge',
    'stentor_connections{worker="0"} 2',
    'stentor_connections{worker="1"} 5',
    '# TYPE stentor_event_streams gauge',
    '# TYPE stentor_errors_total counter',
    'stentor_errors_total{code="busy"} 7',
    '# TYPE process_resident_memory_bytes gauge',
    'process_resident_memory_bytes 1',
    '# TYPE stentor_jwks_age_seconds gauge',
    'stentor_jwks_age_seconds 1',
  ].join('\n');
  expect(gaugesOf(text)).toEqual({ stentor_topics: 3, stentor_connections: 7, stentor_event_streams: 0 });
});

it('finds how much memory grows, between noise', () => {
  const noise = [1, -1, -1, 1, 1, -1, -1, 1];
  const points = noise.map((y, x) => ({ x, y: 100 + 10 * x + y }));
  expect(slope(points)).toBeCloseTo(10, 0);
  expect(slope(points.slice(0, 1))).toBe(0);
});
