import { jetstream } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  json: { public: true },
  msgpack: { public: true, payload: 'msgpack' },
  bytes: { public: true, payload: 'bytes' },
  keyed: { public: true, state: 'keyed' },
  small: { public: true, maxPayloadBytes: 64 },
  live: { public: true, durable: false },
  open: { public: true, clientPublish: true },
};

/** What any producer does: publishes to NATS with a client of its own. */
describe('a producer’s payload', () => {
  let nats: NatsServer;
  let node: TestNode;
  let producer: NatsConnection;
  const clients: TestClient[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    node = await TestNode.start({ namespaces: NAMESPACES, 'nats.url': nats.url });
    producer = await connect({ servers: nats.url });
  });
  afterAll(async () => {
    await producer?.close();
    await node?.stop();
    await nats?.stop();
  });

  async function send(subject: string, payload: Uint8Array | string, contentType?: string): Promise<void> {
    const all = headers();
    if (contentType !== undefined) all.set('Content-Type', contentType);
    await jetstream(producer).publish(subject, payload, contentType === undefined ? {} : { headers: all });
  }

  /** Subscribes in both encodings; what comes is `[json's, msgpack's]` data. */
  async function both(topic: string): Promise<() => Promise<[unknown, unknown]>> {
    const pair = [await node.connect({ encoding: 'json' }), await node.connect({ encoding: 'msgpack' })];
    clients.push(...pair);
    for (const client of pair) {
      client.track(topic);
      await client.subscribe(topic);
    }
    let taken = 0;
    return async () => {
      taken++;
      await Promise.all(pair.map((client) => client.until(`item ${taken}`, () => client.track(topic).items.length >= taken)));
      return pair.map((client) => client.track(topic).items[taken - 1]?.data) as [unknown, unknown];
    };
  }

  const skipped = (reason: string) => node.metric('stentor_publications_skipped_total', { reason });

  it('is JSON by default, or the format that its Content-Type names', async () => {
    const next = await both('json.a');
    const value = { text: 'größer', n: -1.5e300, list: [null, true, ''], big: 9007199254740991 };
    await send('feed.json.a', JSON.stringify(value));
    expect(await next()).toEqual([value, value]);
    await send('feed.json.a', packMsgpack({ packed: 1 }), 'application/msgpack');
    expect(await next()).toEqual([{ packed: 1 }, { packed: 1 }]);
    await send('feed.json.a', Uint8Array.of(0, 255, 1), 'application/octet-stream');
    expect(await next()).toEqual(['AP8B', Buffer.from([0, 255, 1])]);
    await send('feed.json.a', '{"again":"json"}', 'application/json; charset=utf-8');
    expect(await next()).toEqual([{ again: 'json' }, { again: 'json' }]);
    await send('feed.json.a', '"who knows"', 'text/plain');
    expect(await next()).toEqual(['who knows', 'who knows']);
  });

  it('keeps the digits of its integers: 64 bits for MessagePack clients, text for JSON clients and beyond 64 bits', async () => {
    const next = await both('json.d');
    await send('feed.json.d', '{"orderId":8389765929445198309,"wide":18446744073709551616,"safe":9007199254740991}');
    const rest = { wide: '18446744073709551616', safe: 9007199254740991 };
    expect(await next()).toEqual([
      { orderId: '8389765929445198309', ...rest },
      { orderId: 8389765929445198309n, ...rest },
    ]);
  });

  it('as a client’s publish makes it keeps the digits, too, whichever encoding the client has', async () => {
    const payloads: string[] = [];
    const subscription = producer.subscribe('feed.open.a', { callback: (_, message) => void payloads.push(message.string()) });
    await producer.flush();
    const next = await both('open.a');
    const token = await tokenOf();
    const json = await node.connect({ encoding: 'json', token });
    json.sendBytes('{"type":"publish","topic":"open.a","data":{"orderId":8389765929445198309}}');
    const expected = [{ orderId: '8389765929445198309' }, { orderId: 8389765929445198309n }];
    expect(await next()).toEqual(expected);
    const msgpack = await node.connect({ encoding: 'msgpack', token });
    await msgpack.get('published', { type: 'publish', topic: 'open.a', data: { orderId: 8389765929445198309n } });
    expect(await next()).toEqual(expected);
    // A double stays one, however large.
    await msgpack.get('published', { type: 'publish', topic: 'open.a', data: 8389765929445198000 });
    expect(await next()).toEqual([8389765929445198000, 8389765929445198000]);
    await producer.flush();
    // Other consumers of the bus get numbers, as other producers write them.
    expect(payloads).toEqual(['{"orderId":8389765929445198309}', '{"orderId":8389765929445198309}', '8.389765929445198e+18']);
    subscription.unsubscribe();
  });

  it('is MessagePack if the namespace says so, and reaches MessagePack clients unchanged', async () => {
    const next = await both('msgpack.a');
    await send('feed.msgpack.a', packMsgpack({ n: 1, bin: Buffer.from('raw') }));
    expect(await next()).toEqual([
      { n: 1, bin: 'cmF3' },
      { n: 1, bin: Buffer.from('raw') },
    ]);
    // A 64-bit integer keeps its digits: as a number in MessagePack, as text in JSON.
    await send('feed.msgpack.a', Buffer.from('cf7fffffffffffffff', 'hex'));
    expect(await next()).toEqual(['9223372036854775807', 9223372036854775807n]);
    await send('feed.msgpack.a', '{"json":true}', 'application/json');
    expect(await next()).toEqual([{ json: true }, { json: true }]);
  });

  it('is bytes where the namespace says so: base64 for JSON clients', async () => {
    const next = await both('bytes.a');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await send('feed.bytes.a', bytes);
    expect(await next()).toEqual([bytes.toString('base64'), bytes]);
  });

  it('is counted, logged and skipped if malformed, and later ones are delivered', async () => {
    const next = await both('json.b');
    const before = await skipped('malformed');
    await send('feed.json.b', '{"n":1}');
    const bad: [string | Uint8Array, string?][] = [
      ['{"n":'],
      [Uint8Array.of(0xff, 0xfe)],
      ['['.repeat(1000)],
      ['nope'],
      [Uint8Array.of(0xc1), 'application/msgpack'],
      [Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), 'application/msgpack'],
      [Uint8Array.of(0xc0, 0xc0), 'application/msgpack'],
    ];
    for (const [payload, type] of bad) await send('feed.json.b', payload, type);
    await send('feed.json.b', '{"n":2}');
    expect(await next()).toEqual([{ n: 1 }, { n: 1 }]);
    expect(await next()).toEqual([{ n: 2 }, { n: 2 }]);
    expect((await skipped('malformed')) - before).toBe(bad.length);
    const lines = node.log.filter((line) => line.includes('publication skipped'));
    expect(lines.length).toBeGreaterThan(0);
    // Once a second at most.
    expect(lines.length).toBeLessThan(bad.length);
    // The chain of those who came later does not know it either.
    const late = await node.connect();
    clients.push(late);
    const page = await late.get('history', { type: 'history', topic: 'json.b', last: 100 });
    expect(page.items.map(([, , data]) => data)).toEqual([{ n: 1 }, { n: 2 }]);
    for (const client of clients) expect(client.track('json.b').gaps).toBe(0);
  });

  it('that is too big is counted and skipped', async () => {
    const next = await both('small.a');
    await send('feed.small.a', JSON.stringify('x'.repeat(63)));
    await send('feed.small.a', JSON.stringify('y'.repeat(62)));
    expect(await next()).toEqual(['y'.repeat(62), 'y'.repeat(62)]);
    expect(await skipped('too_big')).toBe(1);
  });

  it('that is empty, or null, removes its key in a keyed namespace and is null elsewhere', async () => {
    const client = await node.connect({ encoding: 'msgpack' });
    const tracker = client.track('keyed.a');
    await client.subscribe('keyed.a');
    for (const [key, payload] of [
      ['x', '1'],
      ['y', '2'],
      ['z', '3'],
      ['x', ''],
      ['y', ' null\n'],
    ] as const)
      await send(`feed.keyed.a.${key}`, payload);
    await client.until('all', () => tracker.items.length === 5);
    expect([...tracker.state]).toEqual([['z', 3]]);
    expect(tracker.items.slice(3).map(({ meta }) => meta)).toEqual([{ removed: true }, { removed: true }]);
    const next = await both('json.c');
    await send('feed.json.c', '');
    expect(await next()).toEqual([null, null]);
  });

  it('on an ephemeral topic has the format that its Content-Type names, too', async () => {
    const client = await node.connect();
    await client.subscribe('live.a');
    const all = headers();
    all.set('Content-Type', 'application/msgpack');
    // The node's subscription travels on another connection than this: the first ones may come before it. At most once is all that is promised.
    const timer = setInterval(() => {
      producer.publish('feed.live.a', '{');
      producer.publish('feed.live.a', packMsgpack([1, 'two']), { headers: all });
    }, 20);
    const batch = await client.next('batch').finally(() => clearInterval(timer));
    expect(batch.items[0]).toEqual([0, null, [1, 'two']]);
  });
});
