import { afterEach, describe, expect, it } from 'vitest';
import type { Encoding } from '../../src/protocol/codec.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  chat: { public: true, clientPublish: true },
  board: { public: true, clientPublish: true, state: 'keyed' },
  live: { public: true, clientPublish: true, durable: false },
};

const nodes: TestNode[] = [];
async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'limits.messagesPerSecondMax': 10_000, ...settings });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function connected(node: TestNode, sub = 'alice', encoding: Encoding = 'msgpack'): Promise<TestClient> {
  const client = await node.connect({ encoding, token: await tokenOf({ sub }) });
  await client.next('connected');
  return client;
}

describe('publish', () => {
  it('is acknowledged with where the publication is, and reaches every subscriber with its origin', async () => {
    const node = await start();
    const [alice, bob] = [await connected(node), await connected(node, 'bob', 'json')];
    const { epoch } = await bob.subscribe('chat.a');
    await alice.subscribe('chat.a');
    const data = { text: 'größer', n: 1.5, list: [1, null, true], nested: { deep: 'x' } };
    const ack = await alice.get('published', { type: 'publish', topic: 'chat.a', data });
    expect(ack).toEqual({ type: 'published', id: ack.id, epoch, offset: 1, duplicate: false });
    const second = await bob.get('published', { type: 'publish', topic: 'chat.a', data: 'hi' });
    expect(second.offset).toBe(2);
    for (const client of [alice, bob]) {
      const tracker = client.track('chat.a');
      await client.until('both', () => tracker.items.length === 2);
      expect(tracker.items.map(({ offset, key, data, meta }) => [offset, key, data, meta])).toEqual([
        [1, null, data, { origin: 'alice' }],
        [2, null, 'hi', { origin: 'bob' }],
      ]);
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
    }
  });

  it('without an id is answered with nothing', async () => {
    const node = await start();
    const client = await connected(node);
    await client.subscribe('chat.a');
    client.send({ type: 'publish', topic: 'chat.a', data: 'volatile' });
    await client.next('batch');
    await client.settle();
    expect(client.messages.some(({ type }) => type === 'published')).toBe(false);
  });

  it('without an id that is refused says why, without an id', async () => {
    const node = await start();
    const client = await connected(node);
    client.send({ type: 'publish', topic: 'nowhere.a', data: 1 });
    expect(await client.next('error')).not.toHaveProperty('id');
  });

  it('on an ephemeral topic is acknowledged without a place', async () => {
    const node = await start();
    const [alice, bob] = [await connected(node), await connected(node, 'bob', 'json')];
    expect(await bob.subscribe('live.a')).toMatchObject({ epoch: '', offset: 0 });
    const ack = await alice.get('published', { type: 'publish', topic: 'live.a', data: 1 });
    expect(ack).toEqual({ type: 'published', id: ack.id, duplicate: false });
    expect(await bob.next('batch')).toMatchObject({ epoch: '', prev: 0, items: [[0, null, 1, { origin: 'alice' }]] });
  });

  it('of null on a keyed topic removes the key, and says so', async () => {
    const node = await start();
    const [alice, bob] = [await connected(node), await connected(node, 'bob', 'json')];
    await bob.subscribe('board.a');
    const tracker = bob.track('board.a');
    for (const [key, data] of [
      ['x', 1],
      ['y', 2],
      ['x', null],
    ] as const)
      await alice.get('published', { type: 'publish', topic: 'board.a', key, data });
    await bob.until('all three', () => tracker.items.length === 3);
    expect(tracker.items[2]).toMatchObject({ key: 'x', data: null, meta: { removed: true, origin: 'alice' } });
    expect([...tracker.state]).toEqual([['y', 2]]);
    const late = await connected(node, 'carol');
    expect((await late.subscribe('board.a', { snapshot: true })).items).toEqual([[2, 'y', 2, { origin: 'alice' }]]);
  });
});

describe('an idempotency key', () => {
  it('sent again is stored once, and the answer has the offset of the first one', async () => {
    const node = await start();
    const [alice, again] = [await connected(node), await connected(node)];
    await alice.subscribe('chat.a');
    const publish = (client: TestClient, data: unknown) =>
      client.get('published', { type: 'publish', topic: 'chat.a', data, idempotencyKey: 'k1' });
    expect(await publish(alice, 'one')).toMatchObject({ offset: 1, duplicate: false });
    await alice.get('published', { type: 'publish', topic: 'chat.a', data: 'between' });
    expect(await publish(alice, 'one again')).toMatchObject({ offset: 1, duplicate: true });
    // Another connection of the same user: a retry after a reconnect.
    expect(await publish(again, 'one again')).toMatchObject({ offset: 1, duplicate: true });
    await alice.settle();
    const items = alice.messages.flatMap((message) => (message.type === 'batch' ? message.items : []));
    expect(items.map(([, , data]) => data)).toEqual(['one', 'between']);
  });

  it('at once from many connections is stored once', async () => {
    const node = await start();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connected(node)));
    const acks = await Promise.all(
      clients.map((client) => client.get('published', { type: 'publish', topic: 'chat.a', data: 1, idempotencyKey: 'k' })),
    );
    expect(new Set(acks.map(({ offset }) => offset))).toEqual(new Set([1]));
    expect(acks.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
  });

  it('belongs to its topic and its user: the same on another topic, or by another user, is stored', async () => {
    const node = await start();
    const [alice, bob] = [await connected(node), await connected(node, 'bob')];
    const publish = (client: TestClient, topic: string) =>
      client.get('published', { type: 'publish', topic, data: 1, idempotencyKey: 'k1' });
    expect(await publish(alice, 'chat.a')).toMatchObject({ offset: 1, duplicate: false });
    expect(await publish(alice, 'chat.b')).toMatchObject({ offset: 2, duplicate: false });
    expect(await publish(bob, 'chat.a')).toMatchObject({ offset: 3, duplicate: false });
    expect(await publish(alice, 'chat.b')).toMatchObject({ offset: 2, duplicate: true });
  });
});

describe('echo: false', () => {
  it('sends the publisher only the offset of what it published, and everybody else the whole', async () => {
    const node = await start();
    for (const encoding of ['msgpack', 'json'] as const) {
      const topic = `chat.${encoding}`;
      const quiet = await connected(node, 'alice', encoding);
      const others = await Promise.all([connected(node, 'bob', encoding), connected(node, 'carol', 'json')]);
      const { offset } = await quiet.subscribe(topic, { echo: false });
      for (const other of others) await other.subscribe(topic);
      const tracker = quiet.track(topic);
      await node.publish(topic, 'before');
      await quiet.get('published', { type: 'publish', topic, data: 'mine' });
      await node.publish(topic, 'after');
      await quiet.until('all', () => tracker.items.length === 2 && tracker.covered === 1);
      expect(tracker.items.map(({ data }) => data)).toEqual(['before', 'after']);
      expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, last: offset + 3 });
      const own = quiet.messages.flatMap((message) => (message.type === 'batch' ? message.items : [])).find((item) => item.length === 1);
      expect(own).toEqual([tracker.last - 1]);
      for (const other of others) {
        const all = other.track(topic);
        await other.until('all', () => all.items.length === 3);
        expect(all.items.map(({ data }) => data)).toEqual(['before', 'mine', 'after']);
        expect(all).toMatchObject({ gaps: 0, covered: 0 });
      }
    }
  });

  it('works for two publishers whose publications share a batch, and their chains stay complete', async () => {
    const node = await start({ namespaces: { chat: { ...NAMESPACES.chat, flushIntervalMs: 50 } } });
    const [alice, bob, carol] = [await connected(node, 'alice'), await connected(node, 'bob'), await connected(node, 'carol', 'json')];
    await alice.subscribe('chat.a', { echo: false });
    await bob.subscribe('chat.a', { echo: false });
    await carol.subscribe('chat.a');
    const trackers = [alice, bob, carol].map((client) => client.track('chat.a'));
    const sent: string[] = [];
    for (let n = 0; n < 30; n++) {
      for (const [name, client] of [
        ['alice', alice],
        ['bob', bob],
      ] as const) {
        client.send({ type: 'publish', topic: 'chat.a', data: `${name} ${n}` });
        sent.push(`${name} ${n}`);
      }
      if (n % 7 === 0) await node.publish('chat.a', `producer ${n}`);
    }
    await Promise.all([alice, bob, carol].map((client, i) => client.until('the end', () => trackers[i]?.last === 65)));
    const [ofAlice, ofBob, ofCarol] = trackers.map((tracker) => tracker.items.map(({ data }) => data as string));
    expect(ofCarol).toHaveLength(65);
    expect(ofAlice).toEqual(ofCarol?.filter((text) => !text.startsWith('alice')));
    expect(ofBob).toEqual(ofCarol?.filter((text) => !text.startsWith('bob')));
    for (const tracker of trackers) expect(tracker).toMatchObject({ gaps: 0, duplicates: 0 });
    expect(await node.metric('stentor_batch_items_count')).toBeLessThan(60);
  });

  it('on an ephemeral topic leaves out what the connection published', async () => {
    const node = await start();
    const quiet = await connected(node);
    await quiet.subscribe('live.a', { echo: false });
    quiet.send({ type: 'publish', topic: 'live.a', data: 'mine' });
    await quiet.get('published', { type: 'publish', topic: 'live.a', data: 'mine too' });
    await node.publish('live.a', 'theirs');
    await quiet.next('batch', ({ items }) => items.some(([, , data]) => data === 'theirs'));
    const items = quiet.messages.flatMap((message) => (message.type === 'batch' ? message.items : []));
    expect(items.map(([, , data]) => data)).toEqual(['theirs']);
  });

  it('is of one connection: another one of the same user gets its publications', async () => {
    const node = await start();
    const [phone, laptop] = [await connected(node), await connected(node)];
    await phone.subscribe('chat.a', { echo: false });
    await laptop.subscribe('chat.a', { echo: false });
    await phone.get('published', { type: 'publish', topic: 'chat.a', data: 'from the phone' });
    expect((await laptop.next('batch')).items).toEqual([[1, null, 'from the phone', { origin: 'alice' }]]);
    expect((await phone.next('batch')).items).toEqual([[1]]);
  });

  it('can be revoked by subscribing again', async () => {
    const node = await start();
    const client = await connected(node);
    const tracker = client.track('chat.a');
    await client.subscribe('chat.a', { echo: false });
    await client.get('published', { type: 'publish', topic: 'chat.a', data: 1 });
    await client.subscribe('chat.a');
    await client.get('published', { type: 'publish', topic: 'chat.a', data: 2 });
    await client.subscribe('chat.a', { echo: false });
    await client.get('published', { type: 'publish', topic: 'chat.a', data: 3 });
    await client.until('all', () => tracker.last === 3);
    expect(tracker.items.map(({ data }) => data)).toEqual([2]);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, covered: 2 });
  });
});
