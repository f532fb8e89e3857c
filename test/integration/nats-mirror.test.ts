import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { streamConfigOf } from '../../src/bus/nats/stream-config.ts';
import { busConfig } from '../bus/nats-config.ts';
import { freePort } from '../support/free-port.ts';
import { natsServerBinaries } from '../support/nats-binary.ts';
import { type NatsServer, type NatsServerOptions, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { copyStore } from '../support/store-copy.ts';
import { until } from '../support/until.ts';

const MIRROR = 'scores-mirror';
const NAMESPACES = { scores: { public: true } };

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

async function start(server: NatsServer, scores: Record<string, unknown> = {}, settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: { scores: { ...NAMESPACES.scores, ...scores } }, 'nats.url': server.url, ...settings });
  nodes.push(node);
  return node;
}

/** Makes the mirror, as an operator would. @param more what is different in it */
async function makeMirror(server: NatsServer, more: Record<string, unknown> = {}, source: Record<string, unknown> = {}): Promise<void> {
  const { nats, namespaces } = busConfig(server.url, { namespaces: NAMESPACES });
  const { subjects: _, duplicate_window: __, allow_msg_ttl: ___, ...config } = streamConfigOf('scores', namespaces.scores!, nats);
  const nc = await connect({ servers: server.url });
  const jsm = await jetstreamManager(nc);
  await jsm.streams.delete(MIRROR).catch(() => undefined);
  await jsm.streams.add({ ...config, name: MIRROR, mirror: { name: 'stentor-scores', ...source }, ...more });
  await nc.close();
}

const followsMirror = { mirror: MIRROR };

describe.each(natsServerBinaries())('a node that follows a mirror (%s)', (binary) => {
  it('delivers what is published to the origin, publishes to the origin, and has its offsets and epoch', async () => {
    const server = await serve({ binary });
    const origin = await start(server);
    await makeMirror(server);
    const mirror = await start(server, followsMirror);
    const [near, far] = [await origin.connect(), await mirror.connect()];
    const [a, b] = await Promise.all([near.subscribe('scores.a'), far.subscribe('scores.a')]);
    expect(b.epoch).toBe(a.epoch);
    const trackers = [near.track('scores.a'), far.track('scores.a')];
    const acks = [await origin.publish('scores.a', 1), await mirror.publish('scores.a', 2)];
    expect(acks.map(({ epoch }) => epoch)).toEqual([a.epoch, a.epoch]);
    for (const [client, tracker] of [
      [near, trackers[0]!],
      [far, trackers[1]!],
    ] as const) {
      await client.until('both', () => tracker.items.length === 2);
      expect(tracker.items.map(({ offset, data }) => [offset, data])).toEqual(acks.map(({ offset }, i) => [offset, i + 1]));
    }
    // A position of one node is one of the other, also right after it was given.
    const { epoch, offset } = await origin.publish('scores.a', 3);
    const roaming = await (await mirror.connect()).subscribe('scores.a', { since: { epoch, offset } });
    expect(roaming).toMatchObject({ recovered: true, items: [] });
    const back = await (await origin.connect()).subscribe('scores.a', { since: { epoch, offset: acks[0]!.offset } });
    expect(back.items.map(([, , data]) => data)).toEqual([2, 3]);
    expect(await far.get('history', { type: 'history', topic: 'scores.a', last: 10 })).toMatchObject({
      complete: true,
      items: { length: 3 },
    });
  });

  it('continues without a gap after NATS was away', async () => {
    const server = await serve({ binary });
    const origin = await start(server);
    await makeMirror(server);
    const mirror = await start(server, followsMirror);
    const client = await mirror.connect();
    await client.subscribe('scores.a');
    // Somebody who vouches for the log.
    await (await origin.connect()).subscribe('scores.a');
    const tracker = client.track('scores.a');
    await origin.publish('scores.a', 1);
    await client.until('the first', () => tracker.items.length === 1);
    await server.kill9();
    await server.restart();
    await until('a publication', () => origin.publish('scores.a', 2).catch(() => undefined));
    await client.until('the second', () => tracker.items.length === 2);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, resyncs: [] });
  });

  it('in the domain of a leaf node follows what is published at the hub', async () => {
    const port = freePort();
    const hub = await serve({ binary, domain: 'hub', config: `leafnodes { host: 127.0.0.1, port: ${port} }` });
    const leaf = await serve({ binary, domain: 'leaf', config: `leafnodes { remotes: [{ url: "nats://127.0.0.1:${port}" }] }` });
    const origin = await start(hub);
    await makeMirror(leaf, {}, { external: { api: '$JS.hub.API' } });
    const mirror = await start(leaf, { ...followsMirror, mirrorDomain: 'leaf' }, { 'nats.jetstreamDomain': 'hub' });
    const client = await mirror.connect();
    await client.subscribe('scores.a');
    const { offset } = await origin.publish('scores.a', 1);
    expect(await client.next('batch')).toMatchObject({ items: [[offset, null, 1]] });
    const ack = await mirror.publish('scores.a', 2);
    expect(await client.next('batch')).toMatchObject({ items: [[ack.offset, null, 2]] });
  });

  it('stops if the origin was restored from an older copy, logs why, and continues with a recreated mirror', async () => {
    const server = await serve({ binary });
    const origin = await start(server);
    await origin.publish('scores.a', 'kept');
    await makeMirror(server);
    const mirror = await start(server, followsMirror);
    const client = await mirror.connect();
    await client.subscribe('scores.a');
    const tracker = client.track('scores.a');
    const witness = await origin.connect();
    await witness.subscribe('scores.a');
    await origin.publish('scores.a', 'before');
    await client.until('the first', () => tracker.items.at(-1)?.data === 'before');
    // Only the origin's files are put back: the mirror keeps what they lose.
    const copy = await copyStore(server, 'jetstream/$G/streams/stentor-scores');
    await until('the origin node', () => origin.publish('scores.a', 'lost').catch(() => undefined));
    await client.until('what is lost later', () => tracker.items.some(({ data }) => data === 'lost'));
    await copy.restore();
    await witness.next('resync');
    await client.next('feed', ({ topic, live }) => topic === 'scores.a' && !live);
    expect(mirror.log.join('\n')).toContain('delete it and create it again');
    for (let n = 0; n < 5; n++) await until('a publication', () => origin.publish('scores.a', `new ${n}`).catch(() => undefined));
    await client.settle();
    expect(tracker.items.some(({ data }) => `${data}`.startsWith('new'))).toBe(false);
    await makeMirror(server);
    await client.until('the new life', () => tracker.resyncs.length === 1);
    await client.next('feed', ({ topic, live }) => topic === 'scores.a' && live);
    const { epoch } = await origin.publish('scores.a', 'after');
    await client.until('what comes after', () => tracker.items.some(({ data }) => data === 'after'));
    expect(tracker.epoch).toBe(epoch);
  });

  it.each([
    ['a mirror that is not there', 'stream_missing', async () => undefined],
    ['a mirror with other limits', 'stream_mismatch', (server: NatsServer) => makeMirror(server, { max_msgs_per_subject: 7 })],
    ['a mirror of a part', 'stream_mismatch', (server: NatsServer) => makeMirror(server, {}, { opt_start_seq: 5 })],
  ])('is refused %s', async (_, code, prepare) => {
    const server = await serve({ binary });
    await start(server);
    await prepare(server);
    await expect(start(server, followsMirror)).rejects.toMatchObject({ code, message: expect.stringContaining(MIRROR) });
  });

  it('is refused if the mirror is older than the current epoch of the log', async () => {
    const server = await serve({ binary });
    await (await start(server)).publish('scores.a', 1);
    await makeMirror(server);
    for (const node of nodes.splice(0)) await node.stop();
    // Everything was down, so no node can exclude that the log was restored from a backup meanwhile.
    await server.restart();
    await start(server);
    await expect(start(server, followsMirror)).rejects.toMatchObject({ code: 'mirror_too_old' });
    await makeMirror(server);
    await start(server, followsMirror);
  });
});
