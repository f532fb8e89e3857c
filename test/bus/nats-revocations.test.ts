import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createBus } from '../../src/bus/create-bus.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { until } from '../support/until.ts';
import { busConfig } from './nats-config.ts';

describe.each(natsServerBinaries())('the bucket of revocations (%s)', (binary) => {
  it('is read without leaving consumers in the server; what operators deleted is not in it', async () => {
    const server = await startNatsServer({ binary });
    onTestFinished(() => server.stop());
    const config = busConfig(server.url, { 'auth.revocations': 'accept' });
    const bus = await createBus(config);
    await bus.start();
    onTestFinished(() => bus.stop());
    const { revocations } = bus;
    expect(await revocations.all()).toEqual([]);
    const all = Array.from({ length: 300 }, (_, i) => ({ tokenId: `token ${i}` }));
    for (const one of all) await revocations.put(one);
    const nc = await connect({ servers: server.url });
    onTestFinished(() => nc.close());
    const kv = await new Kvm(nc).open('stentor-revocations');
    await kv.delete((await listOf(await kv.keys()))[0] as string);
    // The client's own reader leaves one.
    const jsm = await jetstreamManager(nc);
    const consumers = async () => (await listOf(jsm.consumers.list('KV_stentor-revocations'))).map(({ name }) => name);
    const before = await consumers();
    for (let i = 0; i < 5; i++) expect(await revocations.all()).toHaveLength(299);
    await until('the consumers to be deleted', async () => (await consumers()).join() === before.join());
  });
});

async function listOf<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}
