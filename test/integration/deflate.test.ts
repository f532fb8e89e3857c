import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  chat: { public: true, clientPublish: true },
  ticks: { public: true, state: 'keyed' },
};

const nodes: TestNode[] = [];
async function start(): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function connected(node: TestNode, compression: 'deflate-raw' | undefined, encoding: 'msgpack' | 'json' = 'msgpack') {
  const client = await node.connect({ encoding });
  await client.get('connected', { type: 'connect', token: await tokenOf(), ...(compression && { compression }) });
  return client;
}

const LONG = { text: 'the same words again and again, '.repeat(50) };

describe('compression: deflate-raw', () => {
  it('gets frames that inflate to the batches that others get', async () => {
    const node = await start();
    const small = await connected(node, 'deflate-raw');
    const plain = await connected(node, undefined);
    for (const client of [small, plain]) await client.subscribe('chat.a');
    for (let n = 0; n < 20; n++) await node.publish('chat.a', { n, ...LONG });
    const [one, other] = [small, plain].map((client) => client.track('chat.a'));
    await Promise.all([small, plain].map((client) => client.until('all', () => client.track('chat.a').items.length === 20)));
    expect(one?.items).toEqual(other?.items);
    expect(one).toMatchObject({ gaps: 0, duplicates: 0 });
    expect(small.deflatedFrames).toBeGreaterThan(0);
    expect(plain.deflatedFrames).toBe(0);
    const bytesRead = ({ socket }: TestClient) => (socket as unknown as { _socket: { bytesRead: number } })._socket.bytesRead;
    expect(bytesRead(small)).toBeLessThan(bytesRead(plain) / 4);
  });

  it('leaves small frames as they are', async () => {
    const node = await start();
    const client = await connected(node, 'deflate-raw');
    await client.subscribe('chat.a');
    await node.publish('chat.a', 'hi');
    expect((await client.next('batch')).items).toEqual([[1, null, 'hi']]);
    expect(client.deflatedFrames).toBe(0);
  });

  it('goes with a rate class, with echo: false, and with recovery', async () => {
    const node = await start();
    const client = await connected(node, 'deflate-raw');
    const tracker = client.track('chat.a');
    await client.subscribe('chat.a', { echo: false });
    await client.get('published', { type: 'publish', topic: 'chat.a', data: LONG });
    await node.publish('chat.a', LONG);
    await client.until('both', () => tracker.last === 2);
    expect(tracker).toMatchObject({ gaps: 0, duplicates: 0, covered: 1 });
    const { epoch } = await client.subscribe('ticks.a', { maxRateHz: 20, snapshot: true });
    for (let n = 0; n < 10; n++) await node.publish('ticks.a', { n, ...LONG }, { key: `K${n % 2}` });
    const rated = client.track('ticks.a');
    await client.until('the end', () => rated.last === 10);
    expect([...rated.state.values()].map(({ n }) => n).sort()).toEqual([8, 9]);
    expect(client.deflatedFrames).toBeGreaterThan(1);
    const late = await connected(node, 'deflate-raw');
    expect(await late.subscribe('ticks.a', { since: { epoch, offset: 8 } })).toMatchObject({ recovered: true, offset: 10 });
  });

  it('is for msgpack only', async () => {
    const node = await start();
    const client = await connected(node, 'deflate-raw', 'json');
    await client.subscribe('chat.a');
    await node.publish('chat.a', LONG);
    expect((await client.next('batch')).items).toEqual([[1, null, LONG]]);
    const wrong = await node.connect();
    expect(await wrong.ask({ type: 'connect', compression: 'gzip' as never })).toMatchObject({ code: 'bad_message' });
  });
});
