import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import { DATA_DEPTH_MAX } from '../../src/protocol/depth.ts';
import { TestNode } from '../support/node.ts';
import type { Ask, TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  plain: { public: true, clientPublish: true, maxPayloadBytes: 1024 },
  keyed: { public: true, state: 'keyed', clientPublish: true },
  bytes: { public: true, clientPublish: true, payload: 'bytes' },
  producers: {},
  short: { durable: false, public: true, clientPublish: true },
};

const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);

const nodes: TestNode[] = [];
async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function connected(node: TestNode, encoding: Encoding = 'json', grants: Parameters<typeof tokenOf>[0] = {}): Promise<TestClient> {
  const client = await node.connect({ encoding, token: await tokenOf(grants) });
  await client.next('connected');
  return client;
}

describe.each<Encoding>(['json', 'msgpack'])('a command that cannot be done, in %s,', (encoding) => {
  let node: TestNode;
  let client: TestClient;
  beforeAll(async () => {
    node = await TestNode.start({ namespaces: NAMESPACES });
    client = await connected(node, encoding, { subscribe: ['keyed.>'], publish: ['plain.>', 'keyed.>', 'bytes.>'], call: ['mine.*'] });
  });
  afterAll(() => node.stop());

  const CASES: [code: string, command: Ask | object][] = [
    ['bad_topic', { type: 'subscribe', topic: 'plain.>.a' }],
    ['unsupported', { type: 'subscribe', topic: 'plain.>' }],
    ['bad_topic', { type: 'subscribe', topic: 'plain..a' }],
    ['bad_topic', { type: 'unsubscribe', topic: '.' }],
    ['bad_topic', { type: 'publish', topic: 'plain.a b', data: 1 }],
    ['unsupported', { type: 'history', topic: 'plain.*' }],
    ['bad_topic', { type: 'call', method: 'a..b' }],
    ['unknown_namespace', { type: 'subscribe', topic: 'nowhere.a' }],
    ['unknown_namespace', { type: 'subscribe', topic: 'constructor.a' }],
    ['unknown_namespace', { type: 'subscribe', topic: '__proto__' }],
    ['unknown_namespace', { type: 'publish', topic: 'hasOwnProperty.a', data: 1 }],
    ['unknown_namespace', { type: 'history', topic: 'toString' }],
    ['forbidden', { type: 'subscribe', topic: 'producers.a' }],
    ['forbidden', { type: 'history', topic: 'producers.a' }],
    ['forbidden', { type: 'publish', topic: 'producers.a', data: 1 }],
    ['forbidden', { type: 'publish', topic: 'short.a', data: 1 }],
    ['forbidden', { type: 'call', method: 'theirs.a' }],
    ['key_required', { type: 'publish', topic: 'keyed.a', data: 1 }],
    ['key_not_allowed', { type: 'publish', topic: 'plain.a', key: 'k', data: 1 }],
    ['bad_key', { type: 'publish', topic: 'keyed.a', key: 'a\nb', data: 1 }],
    ['bad_payload', { type: 'publish', topic: 'bytes.a', data: { a: 1 } }],
    ['bad_payload', { type: 'publish', topic: 'bytes.a', data: 'no base64!' }],
    ['bad_payload', { type: 'publish', topic: 'plain.a', data: nested(DATA_DEPTH_MAX + 1) }],
    ['bad_payload', { type: 'call', method: 'mine.a', data: nested(DATA_DEPTH_MAX + 1) }],
    ['no_responders', { type: 'call', method: 'mine.nobody', data: nested(DATA_DEPTH_MAX) }],
    ['message_too_big', { type: 'publish', topic: 'plain.a', data: 'x'.repeat(1023) }],
    ['not_subscribed', { type: 'unsubscribe', topic: 'plain.a' }],
    ['unsupported', { type: 'history', topic: 'short.a' }],
    ['unsupported', { type: 'presence', topic: 'plain.a' }],
    ['no_responders', { type: 'call', method: 'mine.nobody' }],
    ['unknown_type', { type: 'shout' }],
    ['unknown_type', { type: 'toString' }],
    ['bad_message', { type: 'subscribe' }],
    ['bad_message', { type: 'subscribe', topic: 7 }],
    ['bad_message', { type: 'subscribe', topic: '' }],
    ['bad_message', { type: 'subscribe', topic: 'a'.repeat(201) }],
    ['bad_message', { type: 'subscribe', topic: 'plain.a', since: { epoch: 'e', offset: -1 } }],
    ['bad_message', { type: 'subscribe', topic: 'plain.a', maxRateHz: 0 }],
    ['bad_message', { type: 'publish', topic: 'plain.a' }],
    ['bad_message', { type: 'publish', topic: 'plain.a', data: 1, idempotencyKey: '' }],
    ['bad_message', { type: 'history', topic: 'plain.a', limit: 10_001 }],
    ['bad_message', { type: 'call', method: 'mine.a', timeoutMs: 0 }],
    ['bad_message', { type: 'refresh' }],
    ['unauthorized', { type: 'refresh', token: 'x' }],
    ['already_connected', { type: 'connect' }],
  ];

  it.each(CASES)('is answered with %s and its id: %o', async (code, command) => {
    expect(await client.ask(command as Ask)).toEqual({
      type: 'error',
      id: expect.any(Number),
      code,
      message: expect.stringMatching(/.{5,}/),
      retryable: code === 'no_responders',
    });
  });

  it('is counted by its code', async () => {
    expect(await node.metric('stentor_errors_total', { code: 'bad_key' })).toBe(1);
    expect(await node.metric('stentor_errors_total', { code: 'bad_message' })).toBeGreaterThan(9);
  });

  it('leaves the connection as it was', async () => {
    await client.subscribe('plain.z');
    await node.publish('plain.z', 'fine');
    expect((await client.next('batch')).items).toEqual([[expect.any(Number), null, 'fine']]);
  });
});

describe('limits of one connection', () => {
  it('too_many_topics above topicsPerConnectionMax, until one is left', async () => {
    const node = await start({ 'limits.topicsPerConnectionMax': 3 });
    const client = await connected(node);
    for (const topic of ['plain.a', 'plain.b', 'short.c']) await client.subscribe(topic);
    expect(await client.ask({ type: 'subscribe', topic: 'plain.d' })).toMatchObject({ code: 'too_many_topics', retryable: false });
    await client.subscribe('plain.a');
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'plain.b' });
    await client.subscribe('plain.d');
    // Those that are still being opened count.
    const pipelined = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map(async (name) => (await connectedOnce(node)).ask({ type: 'subscribe', topic: `keyed.${name}` })),
    );
    expect(pipelined.filter(({ type }) => type === 'subscribed')).toHaveLength(3);
    expect(pipelined.filter((answer) => answer.type === 'error' && answer.code === 'too_many_topics')).toHaveLength(2);
  });

  let shared: Promise<TestClient> | undefined;
  function connectedOnce(node: TestNode): Promise<TestClient> {
    shared ??= connected(node);
    return shared;
  }

  it('rate_limited with retryAfterMs past messagesPerSecondMax, each refusal with its id', async () => {
    const node = await start({ 'limits.messagesPerSecondMax': 10 });
    const client = await connected(node);
    // Far more than a slow machine earns meanwhile.
    const answers = await Promise.all(Array.from({ length: 200 }, () => client.ask({ type: 'unsubscribe', topic: 'plain.a' })));
    const limited = answers.filter((answer) => answer.type === 'error' && answer.code === 'rate_limited');
    // A burst of twice the rate passes.
    expect(limited.length).toBeGreaterThan(0);
    expect(limited.length).toBeLessThanOrEqual(180);
    expect(limited[0]).toMatchObject({ retryable: true, retryAfterMs: expect.any(Number) });
    const { retryAfterMs = 0 } = limited.at(-1) as { retryAfterMs?: number };
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(100);
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs + 1));
    expect(await client.ask({ type: 'unsubscribe', topic: 'plain.a' })).toMatchObject({ code: 'not_subscribed' });
  });

  it('busy past publishesPerConnectionMax', async () => {
    const node = await start({ 'tuning.commands.publishesPerConnectionMax': 4 });
    const client = await connected(node);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => client.ask({ type: 'publish', topic: 'plain.a', data: n })));
    const busy = answers.filter((answer) => answer.type === 'error');
    expect(busy.length).toBeGreaterThan(0);
    for (const answer of busy) expect(answer).toMatchObject({ code: 'busy', retryable: true });
    expect(await client.ask({ type: 'publish', topic: 'plain.a', data: 'later' })).toMatchObject({
      offset: answers.length - busy.length + 1,
    });
  });

  it('4005 for a message past messageBytesMax, in both encodings, also far past it', async () => {
    const node = await start({ 'limits.messageBytesMax': 2048, namespaces: { plain: { public: true } } });
    for (const encoding of ['json', 'msgpack'] as const) {
      for (const length of [2049, 20_000]) {
        const client = await connected(node, encoding);
        client.send({ type: 'ping', t: 1 });
        await client.next('pong');
        client.sendBytes(encoding === 'json' ? 'x'.repeat(length) : Buffer.alloc(length));
        expect(await client.closed, `${encoding} ${length}`).toEqual({ code: 4005, reason: 'message too big' });
      }
    }
    const fits = await connected(node);
    const frame = JSON.stringify({ type: 'ping', t: 1, pad: '' });
    fits.sendBytes(frame.replace('"pad":""', `"pad":"${'x'.repeat(2048 - frame.length)}"`));
    await fits.next('pong');
  });

  it('bad_message for frames that cannot be decoded, with the id where it can be read, and the connection lives', async () => {
    const node = await start();
    const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
    const bad: [Encoding, string | Uint8Array, id?: number][] = [
      ['json', '{'],
      ['json', 'hello'],
      ['json', Buffer.from([0x7b, 0xff, 0x7d])],
      ['json', '['.repeat(10_000)],
      ['json', ''],
      ['json', `{"id":5,"type":"publish","topic":"plain.a","data":${'['.repeat(70)}${']'.repeat(70)}}`, 5],
      ['msgpack', hex('c1')],
      ['msgpack', hex('dd ffffffff')],
      ['msgpack', hex('81 a1')],
      ['msgpack', Buffer.concat([Buffer.alloc(1000, 0x91), hex('c0')])],
      ['msgpack', hex('c0 c0')],
      ['msgpack', hex('d4 72 40')],
      ['msgpack', Buffer.alloc(0)],
      // What a MessagePack library makes of an invalid Date, of a Map with numbers as keys, and of a record.
      ['msgpack', hex('82 a2 6964 05 a4 64617461 d4 ff ff'), 5],
      ['msgpack', hex('82 a2 6964 05 a4 64617461 81 cb 4059600000000000 03'), 5],
      ['msgpack', hex('82 a4 64617461 d4 72 40 a2 6964 05'), 5],
    ];
    for (const encoding of ['json', 'msgpack'] as const) {
      const client = await connected(node, encoding);
      await client.subscribe('plain.a');
      for (const [, bytes, id] of bad.filter(([of]) => of === encoding)) {
        client.sendBytes(bytes);
        const error = await client.next('error');
        expect(error, String(bytes).slice(0, 20)).toMatchObject({ code: 'bad_message', retryable: false });
        expect(error.id).toBe(id);
      }
      await node.publish('plain.a', encoding);
      expect((await client.next('batch')).items.at(-1)?.[2]).toBe(encoding);
    }
    expect(await node.metric('stentor_errors_total', { code: 'bad_message' })).toBe(bad.length);
    expect(await node.metric('stentor_connections_closed_total', { code: '4000' })).toBe(0);
  });

  it('4009 when frames that cannot be decoded keep coming', async () => {
    const node = await start({ 'tuning.commands.errorsPerMinuteMax': 5 });
    const client = await connected(node, 'msgpack');
    for (let i = 0; i < 20; i++) client.sendBytes(Buffer.from([0xc1]));
    expect(await client.closed).toEqual({ code: 4009, reason: 'too many errors' });
    expect(client.messages.filter(({ type }) => type === 'error').length).toBe(6);
  });

  it('4000 for text on a MessagePack connection; JSON is read from a binary frame, too', async () => {
    const node = await start();
    const msgpack = await connected(node, 'msgpack');
    msgpack.sendBytes('{"type":"ping"}');
    expect(await msgpack.closed).toEqual({ code: 4000, reason: 'malformed message' });
    expect(await node.metric('stentor_connections_closed_total', { code: '4000' })).toBe(1);
    const json = await connected(node);
    json.sendBytes(Buffer.from('{"type":"ping","t":7}'));
    expect(await json.next('pong')).toMatchObject({ t: 7 });
  });

  it('bad_message for a well encoded value that is not a message, and the connection stays', async () => {
    const node = await start();
    const client = await connected(node);
    for (const text of ['null', '[]', '"subscribe"', '7', '{}', '{"type":7}', '{"type":null,"id":3}']) {
      client.sendBytes(text);
      expect(await client.next('error'), text).toMatchObject({ code: 'bad_message' });
    }
    client.sendBytes('{"id":3}');
    expect(await client.next('error')).toMatchObject({ code: 'bad_message', id: 3 });
    await client.settle();
  });

  it('4009 after too many errors of the client, with an error for each before', async () => {
    const node = await start({ 'tuning.commands.errorsPerMinuteMax': 5 });
    const client = await connected(node);
    for (let i = 0; i < 20; i++) client.send({ type: 'subscribe', id: i, topic: 'nowhere.a' });
    expect(await client.closed).toEqual({ code: 4009, reason: 'too many errors' });
    expect(client.messages.filter(({ type }) => type === 'error').length).toBe(6);
  });

  it('no close, however many refusals the server’s own limits and surroundings cause', async () => {
    const node = await start({
      'tuning.commands.errorsPerMinuteMax': 5,
      'limits.topicsPerConnectionMax': 2,
      'tuning.commands.publishesPerConnectionMax': 1,
      'limits.messagesPerSecondMax': 100,
    });
    const client = await connected(node);
    const codes = new Map<string, number>();
    const ask = async (command: Ask, count: number) => {
      for (const answer of await Promise.all(Array.from({ length: count }, () => client.ask(command)))) {
        if (answer.type === 'error') codes.set(answer.code, (codes.get(answer.code) ?? 0) + 1);
      }
    };
    for (const topic of ['plain.a', 'plain.b']) await client.subscribe(topic);
    await ask({ type: 'subscribe', topic: 'plain.c' }, 20);
    await ask({ type: 'publish', topic: 'plain.a', data: 1 }, 30);
    await ask({ type: 'call', method: 'nobody' }, 20);
    await ask({ type: 'unsubscribe', topic: 'plain.z' }, 600);
    for (const code of ['too_many_topics', 'busy', 'no_responders', 'not_subscribed', 'rate_limited']) {
      expect(codes.get(code), code).toBeGreaterThan(5);
    }
    await node.publish('plain.a', 'still here');
    await client.next('batch', ({ items }) => items.some(([, , data]) => data === 'still here'));
  });
});

describe('limits of the node', () => {
  it('busy past publishesInFlightMax', async () => {
    const node = await start({ 'tuning.commands.publishesInFlightMax': 4, 'tuning.commands.publishesPerConnectionMax': 4 });
    const clients = await Promise.all(Array.from({ length: 4 }, () => connected(node)));
    const rounds = Array.from({ length: 10 }, () =>
      Promise.all(clients.flatMap((client) => [1, 2, 3].map((data) => client.ask({ type: 'publish', topic: 'plain.a', data })))),
    );
    const answers = (await Promise.all(rounds)).flat();
    const refused = answers.filter((answer) => answer.type === 'error');
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) expect(answer).toMatchObject({ code: 'busy', retryable: true });
    expect(await clients[0]?.ask({ type: 'publish', topic: 'plain.a', data: 'later' })).toMatchObject({
      offset: answers.length - refused.length + 1,
    });
    expect(await node.metric('stentor_publishes_in_flight')).toBe(0);
  });

  it('busy past topicsPerNodeMax, until one has no subscriber any more, although it stays open for a while', async () => {
    const node = await start({ 'limits.topicsPerNodeMax': 2, 'tuning.hub.topicLingerMs': 600_000 });
    const client = await connected(node);
    await client.subscribe('plain.a');
    await client.subscribe('short.b');
    expect(await client.ask({ type: 'subscribe', topic: 'plain.c' })).toMatchObject({ code: 'busy', retryable: true });
    expect(await node.metric('stentor_topics')).toBe(2);
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'plain.a' });
    await client.subscribe('plain.c');
    expect(await node.metric('stentor_topics')).toBe(2);
    expect(await client.ask({ type: 'subscribe', topic: 'plain.a' })).toMatchObject({ code: 'busy' });
  });
});

describe('call', () => {
  it('is answered by a service, and fails with timeout if that takes too long', async () => {
    const node = await start();
    const bus = node.bus as MemoryBus;
    bus.serve('math.double', (data) => Buffer.from(JSON.stringify(JSON.parse(Buffer.from(data).toString()) * 2)));
    bus.serve('math.slow', () => new Promise(() => undefined));
    bus.serve('math.broken', () => Buffer.from('{'));
    for (const encoding of ['json', 'msgpack'] as const) {
      const client = await connected(node, encoding);
      expect(await client.ask({ type: 'call', method: 'math.double', data: 21 })).toMatchObject({ type: 'result', data: 42 });
      expect(await client.ask({ type: 'call', method: 'math.slow', timeoutMs: 50 })).toMatchObject({ code: 'timeout', retryable: true });
      expect(await client.ask({ type: 'call', method: 'math.broken' })).toMatchObject({ code: 'bad_answer', retryable: false });
    }
  });
});

describe('a command that another one supersedes', () => {
  it('is answered all the same', async () => {
    const node = await start();
    const client = await connected(node);
    const first = client.ask({ type: 'subscribe', topic: 'plain.a' });
    const second = client.ask({ type: 'subscribe', topic: 'plain.a', snapshot: true });
    const gone = client.ask({ type: 'subscribe', topic: 'plain.b' });
    const unsubscribed = client.ask({ type: 'unsubscribe', topic: 'plain.b' });
    expect(await second).toMatchObject({ type: 'subscribed' });
    expect(await first).toMatchObject({ type: 'error', code: 'not_subscribed' });
    expect(await unsubscribed).toMatchObject({ type: 'unsubscribed' });
    expect(await gone).toMatchObject({ type: 'error', code: 'not_subscribed' });
    await node.publish('plain.b', 1);
    await node.publish('plain.a', 2);
    expect(await client.next('batch')).toMatchObject({ topic: 'plain.a' });
    await client.settle();
    expect(client.messages.filter(({ type }) => type === 'batch')).toHaveLength(1);
  });
});
