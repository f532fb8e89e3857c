import { type NatsConnection, connect as natsConnect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Connection, connectFirst } from '../../src/bus/nats/connection.ts';
import { readsDirectly } from '../../src/bus/nats/direct-transport.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';

let server: NatsServer;
let connection: Connection;
let producer: NatsConnection;

beforeEach(async () => {
  server = await startNatsServer();
  producer = await natsConnect({ servers: server.url });
  const options = { servers: server.url, reconnectTimeWait: 20, maxReconnectAttempts: -1 };
  const events = { onRefused: () => undefined, onDenied: () => undefined };
  connection = new Connection(await connectFirst(options, server.url, 5000), options, events);
});

afterEach(async () => {
  await connection.close();
  await producer.close();
  await server.stop();
});

/** Subscribes, publishes, and compares. */
async function carries(subject: string, lengths: readonly number[]): Promise<void> {
  const received: Uint8Array[] = [];
  const subscription = connection.nc.subscribe(subject, { callback: (_, { data }) => void received.push(data) });
  await connection.nc.flush();
  const sent = lengths.map((length, i) => Buffer.alloc(length, `${i} `));
  for (const data of sent) producer.publish(subject, data);
  await until('all messages', () => received.length === sent.length);
  // Looked at when all have come: none may be of a buffer that is read into again.
  expect(received.map((data, i) => Buffer.from(data).equals(sent[i] as Buffer))).toEqual(sent.map(() => true));
  subscription.unsubscribe();
}

describe('the connection to NATS', () => {
  it('parses in the same call as it reads, which a newer client might prevent', () => {
    expect(readsDirectly(connection.nc)).toBe(true);
  });

  it('carries messages of all sizes in order, wherever reads cut them', async () => {
    await carries('sizes', [
      0,
      1,
      100,
      70_000,
      5,
      65_536,
      400_000,
      0,
      131_072,
      3,
      ...Array.from({ length: 3000 }, (_, i) => (i * 37) % 200),
    ]);
  });

  it('reads directly again after a reconnect', async () => {
    const back = new Promise<void>((resolve) => connection.onChange((connected) => connected && resolve()));
    await connection.nc.reconnect();
    await back;
    expect(readsDirectly(connection.nc)).toBe(true);
    await carries('again', [10, 100_000, 10]);
  });
});
