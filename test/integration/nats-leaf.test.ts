import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  scores: { public: true, clientPublish: true },
  ticks: { public: true, state: 'keyed', history: { maxCount: 10 } },
  passing: { public: true, durable: false, clientPublish: true },
};
const GRANTS = { subscribe: ['>'], publish: ['>'], call: ['>'] };

const nodes: TestNode[] = [];
const servers: NatsServer[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(options: NatsServerOptions): Promise<NatsServer> {
  const server = await startNatsServer(options);
  servers.push(server);
  return server;
}

async function start(server: NatsServer, settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': server.url, ...settings });
  nodes.push(node);
  return node;
}

/** A hub with JetStream, and a leaf node of it. */
async function hubAndLeaf(binary: string, leaf: NatsServerOptions): Promise<{ hub: NatsServer; leaf: NatsServer }> {
  const port = freePort();
  const hub = await serve({ binary, domain: 'hub', config: `leafnodes { host: 127.0.0.1, port: ${port} }` });
  return { hub, leaf: await serve({ binary, ...leaf, config: `leafnodes { remotes: [{ url: "nats://127.0.0.1:${port}" }] }` }) };
}

/** Everything that a node does with its log, once. */
async function useAll(node: TestNode): Promise<void> {
  const client = await node.connect({ encoding: 'json', token: await tokenOf(GRANTS) });
  await client.subscribe('scores.a');
  const { epoch, offset } = await client.get('published', { type: 'publish', topic: 'scores.a', data: 'one' });
  await client.next('batch', ({ topic }) => topic === 'scores.a');
  expect(await client.ask({ type: 'history', topic: 'scores.a', last: 1 })).toMatchObject({
    type: 'history',
    items: [[offset, null, 'one', {}]],
  });
  await client.get('published', { type: 'publish', topic: 'scores.a', data: 'two' });
  const late = await node.connect({ encoding: 'json', token: await tokenOf(GRANTS) });
  expect(await late.subscribe('scores.a', { since: { epoch: epoch ?? '', offset: offset ?? 0 } })).toMatchObject({ recovered: true });
  await node.publish('ticks.a', 7, { key: 'K' });
  await until('the state', async () => (await late.subscribe('ticks.a', { snapshot: true })).items.length === 1);
  await late.subscribe('passing.a');
  await client.get('published', { type: 'publish', topic: 'passing.a', data: 'now' });
  await late.next('batch', ({ topic }) => topic === 'passing.a');
}

describe.each(natsServerBinaries())('a node at a leaf node (%s)', (binary) => {
  it.each([
    ['without JetStream', { jetstream: false }],
    ['with a JetStream of its own', { domain: 'leaf' }],
  ])("%s uses the hub's domain, and follows it through its absence", async (_, options) => {
    const { hub, leaf } = await hubAndLeaf(binary, options);
    const atHub = await start(hub);
    const atLeaf = await start(leaf, { 'nats.jetstreamDomain': 'hub' });
    await useAll(atLeaf);
    // It is one log: what one node stores the other delivers, in the same life.
    const [client, other] = [await atLeaf.connect(), await atHub.connect()];
    const positions = await Promise.all([client.subscribe('scores.both'), other.subscribe('scores.both')]);
    expect(positions[0].epoch).toBe(positions[1].epoch);
    const tracker = client.track('scores.both');
    await atHub.publish('scores.both', 1);
    await client.until('the first', () => tracker.items.length === 1);
    await hub.kill9();
    await hub.restart();
    await until('a publication', () => atHub.publish('scores.both', 2).catch(() => undefined));
    await client.until('the second', () => tracker.items.some(({ data }) => data === 2));
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, resyncs: [] });
  });

  it('uses the prefix of the API if that is configured instead', async () => {
    const { leaf } = await hubAndLeaf(binary, { jetstream: false });
    await useAll(await start(leaf, { 'nats.jetstreamApiPrefix': '$JS.hub.API', 'nats.inboxPrefix': 'answers.of.mine' }));
  });

  it('that names no domain gets the error that JetStream does not answer', async () => {
    const { leaf } = await hubAndLeaf(binary, { jetstream: false });
    const refused = await start(leaf, { 'tuning.nats.requestTimeoutMs': 1000 }).catch((error) => error);
    expect(refused).toMatchObject({ code: 'jetstream_unavailable' });
  });
});
