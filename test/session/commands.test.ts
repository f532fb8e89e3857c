import { afterEach, describe, expect, it } from 'vitest';
import { packMsgpack, unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { ANONYMOUS } from '../../src/session/identity.ts';
import { source } from '../support/fanout-fixtures.ts';
import { type FakeClient, TestWorker } from '../support/test-worker.ts';
import { sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  open: { public: true },
  closed: { clientPublish: true, topicTokens: 2 },
  ticks: { state: 'keyed', clientPublish: true },
  live: { public: true, durable: false, clientPublish: true },
};

let worker: TestWorker;
afterEach(() => worker.stop());

const start = async (settings: Readonly<Record<string, unknown>> = {}) => {
  worker = await TestWorker.create({ namespaces: NAMESPACES, ...settings });
};

/** A client that has connected with a token; it may do everything unless told less. */
async function connected(grants: Parameters<typeof tokenOf>[0] = {}): Promise<FakeClient> {
  const client = worker.client();
  await client.ask({ type: 'connect', id: 0, token: await tokenOf(grants) });
  return client;
}

const items = (...offsets: number[]) => offsets.map((offset) => source(offset));

describe('connect', () => {
  it('answers with the client’s identity, its expiry, and the limits', async () => {
    await start({ 'limits.messagesPerSecondMax': 77 });
    const client = worker.client();
    const answer = await client.ask({ type: 'connect', id: 9, token: await tokenOf({ sub: 'bob' }) });
    expect(answer).toMatchObject({
      type: 'connected',
      connectionId: client.connection.id,
      user: 'bob',
      nodeId: 'node',
      expiresAtMs: expect.any(Number),
      limits: { messagesPerSecondMax: 77, topicsMax: 1000, commandsMax: 1000 },
    });
    expect(client.connection.identity.subscribe).toEqual(['>']);
  });

  it('accepts an anonymous client if a namespace is public', async () => {
    await start();
    const client = worker.client();
    expect(await client.ask({ type: 'connect', id: 1 })).toMatchObject({ type: 'connected', user: null });
    expect(client.connection.identity).toBe(ANONYMOUS);
  });

  it('refuses a client without a token if no namespace is public, and closes the connection', async () => {
    await start({ namespaces: { closed: {} } });
    const client = worker.client();
    expect(await client.ask({ type: 'connect', id: 1 })).toMatchObject({ type: 'error', code: 'unauthorized' });
    expect(client.socket.endedWith).toBe(4001);
  });

  it.each([
    ['an invalid token', 'unauthorized', async () => 'no.token.this'],
    ['an expired one', 'token_expired', () => tokenOf({ expiresInMs: -60_000 })],
    ['one without a user', 'unauthorized', () => sign({ exp: Date.now() / 1000 + 60 })],
  ])('is refused with %s: %s', async (_, code, token) => {
    await start();
    const client = worker.client();
    expect(await client.ask({ type: 'connect', id: 1, token: await token() })).toMatchObject({ type: 'error', code, id: 1 });
    await until('the close', () => client.socket.endedWith === 4001);
  });

  it('is accepted only once, and only as the first command', async () => {
    await start();
    const client = await connected();
    expect(await client.ask({ type: 'connect', id: 1 })).toMatchObject({ type: 'error', code: 'already_connected' });
    const late = worker.client();
    late.say({ type: 'unsubscribe', id: 1, topic: 'open.a' });
    expect(await late.ask({ type: 'connect', id: 2 })).toMatchObject({ type: 'error', code: 'already_connected' });
  });

  it.each([
    ['msgpack', true],
    ['json', false],
  ] as const)('turns compression on for MessagePack only: %s', async (encoding, deflate) => {
    await start();
    const client = worker.client({ encoding });
    await client.ask({ type: 'connect', id: 1, compression: 'deflate-raw' });
    expect(client.connection.receiver.deflate).toBe(deflate);
  });

  it('is answered before the commands after it, which get the token’s permissions', async () => {
    await start();
    const client = worker.client();
    client.say({ type: 'connect', id: 1, token: await tokenOf() });
    client.say({ type: 'subscribe', id: 2, topic: 'closed.a' });
    await worker.open('closed.a');
    await client.answerTo(2);
    expect(client.sent.map(({ type }) => type)).toEqual(['connected', 'subscribed']);
  });
});

describe('a token that came with the request', () => {
  it('is answered with `connected`, without a command', async () => {
    await start();
    const client = worker.client({ token: await tokenOf({ sub: 'carol' }) });
    await until('connected', () => client.sent.length > 0);
    expect(client.ofType('connected')).toMatchObject([{ user: 'carol' }]);
    expect(client.ofType('connected')[0]).not.toHaveProperty('id');
  });

  it('closes the connection if it is invalid', async () => {
    await start();
    const client = worker.client({ token: 'no.token.this' });
    await until('the close', () => client.socket.endedWith !== undefined);
    expect([client.errors, client.socket.endedWith]).toEqual([['unauthorized'], 4001]);
  });
});

describe('subscribe', () => {
  it('opens the topic, and answers with the start of the stream', async () => {
    await start();
    const client = await connected();
    client.say({ type: 'subscribe', id: 1, topic: 'closed.a' });
    await worker.open('closed.a');
    expect(await client.answerTo(1)).toMatchObject({ type: 'subscribed', topic: 'closed.a', epoch: 'e1', offset: 0, recovered: false });
    expect([...client.connection.receiver.subscriptions.keys()]).toEqual(['closed.a']);
  });

  it.each([
    ['a topic of no namespace', 'none.a', 'unknown_namespace'],
    ['what is no topic', 'open..a', 'bad_topic'],
    ['a topic of the wrong depth', 'closed.a.b', 'bad_topic'],
    ['what the token does not permit', 'closed.b', 'forbidden'],
  ])('refuses %s', async (_, topic, code) => {
    await start();
    const client = await connected({ subscribe: ['closed.a'] });
    expect(await client.ask({ type: 'subscribe', id: 1, topic })).toMatchObject({ type: 'error', code, id: 1 });
    expect(worker.toHub.map(({ kind }) => kind)).not.toContain('open');
    expect(client.connection.receiver.subscriptions.size).toBe(0);
  });

  it('refuses anonymous clients in namespaces that are not public', async () => {
    await start();
    expect(await worker.client().ask({ type: 'subscribe', id: 1, topic: 'closed.a' })).toMatchObject({
      type: 'error',
      code: 'unauthorized',
    });
  });

  it('refuses presence in a namespace without it', async () => {
    await start();
    const answer = await worker.client().ask({ type: 'subscribe', id: 1, topic: 'open.a', presence: true });
    expect(answer).toMatchObject({ type: 'error', code: 'unsupported', message: 'open.a has no presence' });
    expect(worker.toHub).toEqual([]);
  });

  it('refuses a topic above the limit of the connection, but not a second subscribe to the same topic', async () => {
    await start({ 'limits.topicsPerConnectionMax': 2 });
    const client = worker.client();
    for (const [id, topic] of [
      [1, 'open.a'],
      [2, 'open.b'],
    ] as const) {
      client.say({ type: 'subscribe', id, topic });
      await worker.open(topic);
      expect((await client.answerTo(id)).type).toBe('subscribed');
    }
    expect(await client.ask({ type: 'subscribe', id: 3, topic: 'open.c' })).toMatchObject({ code: 'too_many_topics' });
    expect((await client.ask({ type: 'subscribe', id: 4, topic: 'open.b' })).type).toBe('subscribed');
  });

  it('is answered with an error if the client unsubscribed while the topic was opened', async () => {
    await start();
    const client = worker.client();
    client.say({ type: 'subscribe', id: 1, topic: 'open.a' });
    expect(await client.ask({ type: 'unsubscribe', id: 2, topic: 'open.a' })).toMatchObject({ type: 'unsubscribed' });
    await worker.open('open.a');
    expect(await client.answerTo(1)).toMatchObject({ type: 'error', code: 'not_subscribed' });
    expect(client.connection.receiver.subscriptions.size).toBe(0);
  });

  it('is answered with the reason if the hub cannot open the topic, and keeps no place for it', async () => {
    await start();
    const client = worker.client();
    client.say({ type: 'subscribe', id: 1, topic: 'open.a' });
    const { topic } = await worker.asked('open');
    worker.hears({ kind: 'openFailed', topic, code: 'unavailable', message: 'away' });
    expect(await client.answerTo(1)).toMatchObject({ type: 'error', code: 'unavailable', message: 'away', retryable: true });
    expect(client.connection.receiver.subscriptions.size).toBe(0);
  });
});

describe('unsubscribe', () => {
  it('ends the subscription, and closes the topic after its last one', async () => {
    await start();
    const client = worker.client();
    client.say({ type: 'subscribe', id: 1, topic: 'open.a' });
    await worker.open('open.a');
    await client.answerTo(1);
    expect(await client.ask({ type: 'unsubscribe', id: 2, topic: 'open.a' })).toMatchObject({ type: 'unsubscribed', topic: 'open.a' });
    expect(await worker.asked('close')).toMatchObject({ topic: 'open.a' });
    expect(await client.ask({ type: 'unsubscribe', id: 3, topic: 'open.a' })).toMatchObject({ code: 'not_subscribed' });
    expect(await client.ask({ type: 'unsubscribe', id: 4, topic: '' })).toMatchObject({ type: 'error' });
  });
});

describe('publish', () => {
  it('sends the publication to the hub with user and connection, and answers when it is stored', async () => {
    await start();
    const client = await connected({ sub: 'bob' });
    client.say({ type: 'publish', id: 1, topic: 'closed.a', data: { n: 1 }, idempotencyKey: 'k' });
    const asked = await worker.asked('publish');
    expect(asked).toMatchObject({ topic: 'closed.a', key: null, user: 'bob', connectionId: client.connection.id, idempotencyKey: 'k' });
    expect(unpackMsgpack(asked.data)).toEqual({ n: 1 });
    expect(client.ofType('published')).toEqual([]);
    worker.hears({ kind: 'published', requestId: asked.requestId, epoch: 'e1', offset: 7, duplicate: false });
    expect(await client.answerTo(1)).toMatchObject({ type: 'published', epoch: 'e1', offset: 7, duplicate: false });
  });

  it('returns no position for an ephemeral topic', async () => {
    await start();
    const client = await connected();
    client.say({ type: 'publish', id: 1, topic: 'live.a', data: 1 });
    worker.hears({ kind: 'published', requestId: (await worker.asked('publish')).requestId, epoch: '', offset: 0, duplicate: false });
    expect(await client.answerTo(1)).not.toHaveProperty('offset');
  });

  it.each([
    ['a namespace that clients do not publish to', { topic: 'open.a' }, 'forbidden'],
    ['what the token does not permit', { topic: 'closed.b' }, 'forbidden'],
    ['a publication without the key that it needs', { topic: 'ticks.a' }, 'key_required'],
    ['a key that is not allowed', { topic: 'closed.a', key: 'K' }, 'key_not_allowed'],
    ['what is no key', { topic: 'ticks.a', key: 'a\nb' }, 'bad_key'],
    ['a topic of no namespace', { topic: 'none.a' }, 'unknown_namespace'],
  ])('refuses %s', async (_, fields, code) => {
    await start();
    const client = await connected({ publish: ['closed.a', 'ticks.>'] });
    expect(await client.ask({ type: 'publish', id: 1, data: 1, ...fields })).toMatchObject({ type: 'error', code });
    expect(worker.toHub.map(({ kind }) => kind)).not.toContain('publish');
  });

  it('refuses anonymous clients', async () => {
    await start();
    expect(await worker.client().ask({ type: 'publish', id: 1, topic: 'live.a', data: 1 })).toMatchObject({ code: 'unauthorized' });
  });

  it('refuses a publish above the limit of unanswered ones, and accepts more after an answer', async () => {
    await start({ 'tuning.commands.publishesPerConnectionMax': 2 });
    const client = await connected();
    for (const id of [1, 2]) client.say({ type: 'publish', id, topic: 'closed.a', data: id });
    expect(await client.ask({ type: 'publish', id: 3, topic: 'closed.a', data: 3 })).toMatchObject({ code: 'busy', retryable: true });
    const { requestId } = await worker.asked('publish');
    worker.hears({ kind: 'failed', requestId, code: 'unavailable', message: 'away' });
    expect(await client.answerTo(1)).toMatchObject({ code: 'unavailable' });
    await worker.asked('publish');
    client.say({ type: 'publish', id: 4, topic: 'closed.a', data: 4 });
    await worker.asked('publish');
  });
});

describe('call', () => {
  it('sends the call to the hub with a limited timeout, and answers with the result of the service', async () => {
    await start({ 'tuning.commands.callTimeoutMaxMs': 2000 });
    const client = await connected({ sub: 'bob' });
    client.say({ type: 'call', id: 1, method: 'trade.quote', data: [1], timeoutMs: 9000 });
    const asked = await worker.asked('call');
    expect(asked).toMatchObject({ method: 'trade.quote', timeoutMs: 2000, user: 'bob', connectionId: client.connection.id });
    worker.hears({ kind: 'result', requestId: asked.requestId, data: packMsgpack({ price: 3 }) });
    expect(await client.answerTo(1)).toMatchObject({ type: 'result', data: { price: 3 } });
  });

  it('forwards a refusal of the service, and does not count it as an error of the client', async () => {
    await start();
    const client = await connected();
    client.say({ type: 'call', id: 1, method: 'trade.quote' });
    const { requestId } = await worker.asked('call');
    worker.hears({ kind: 'serviceError', requestId, code: 'sold_out', message: 'none left' });
    expect(await client.answerTo(1)).toMatchObject({ type: 'error', code: 'sold_out', service: true, retryable: false });
    expect(client.connection.errors).toBe(0);
  });

  it.each([
    ['an anonymous client', undefined, 'trade.quote', 'unauthorized'],
    ['what the token does not permit', { call: ['trade.quote'] }, 'trade.buy', 'forbidden'],
    ['what is no method', {}, 'trade..buy', 'bad_topic'],
  ])('refuses %s', async (_, grants, method, code) => {
    await start();
    const client = grants === undefined ? worker.client() : await connected(grants);
    expect(await client.ask({ type: 'call', id: 1, method })).toMatchObject({ type: 'error', code });
  });

  it('refuses a call above the limit of unanswered ones', async () => {
    await start({ 'tuning.commands.callsPerConnectionMax': 2 });
    const client = await connected();
    for (const id of [1, 2]) client.say({ type: 'call', id, method: 'trade.quote' });
    expect(await client.ask({ type: 'call', id: 3, method: 'trade.quote' })).toMatchObject({ code: 'busy' });
  });

  it('refuses calls above the rate: twice the rate in the first second', async () => {
    await start({ 'limits.callsPerSecondMax': 1 });
    const client = await connected();
    for (const id of [1, 2, 3]) client.say({ type: 'call', id, method: 'trade.quote' });
    expect(await client.answerTo(3)).toMatchObject({ code: 'too_many_calls', retryAfterMs: expect.any(Number) });
    expect(client.errors).toEqual(['too_many_calls']);
  });
});

describe('history', () => {
  it('requests a page after the position with the wanted number of items, and answers with it', async () => {
    await start();
    const client = await connected();
    client.say({ type: 'history', id: 1, topic: 'closed.a', since: { epoch: 'e1', offset: 3 }, limit: 2 });
    const asked = await worker.asked('read');
    expect(asked).toMatchObject({ topic: 'closed.a', epoch: 'e1', after: 3, limit: 2 });
    worker.hears({ kind: 'items', requestId: asked.requestId, epoch: 'e1', offset: 5, complete: true, more: true, items: items(4, 5) });
    const answer = await client.answerTo(1);
    expect(answer).toMatchObject({ type: 'history', epoch: 'e1', offset: 5, complete: true, more: true });
    expect(answer.type === 'history' && answer.items.map(([offset]) => offset)).toEqual([4, 5]);
  });

  it('continues page by page until it has all requested items', async () => {
    await start();
    const client = await connected();
    client.say({ type: 'history', id: 1, topic: 'closed.a', last: 4 });
    const first = await worker.asked('readLast');
    expect(first).toMatchObject({ count: 4 });
    worker.hears({
      kind: 'items',
      requestId: first.requestId,
      epoch: 'e1',
      offset: 2,
      lastOffset: 4,
      complete: true,
      more: true,
      items: items(1, 2),
    });
    const second = await worker.asked('read');
    expect(second).toMatchObject({ after: 2, limit: 2, upTo: 4 });
    worker.hears({ kind: 'items', requestId: second.requestId, epoch: 'e1', offset: 4, complete: true, more: false, items: items(3, 4) });
    await until('both parts', () => client.ofType('history').length === 2);
    expect(client.ofType('history').map((part) => [part.continues ?? false, part.items.map(([offset]) => offset)])).toEqual([
      [true, [1, 2]],
      [false, [3, 4]],
    ]);
  });

  it('ends before the next page if a refreshed token does not permit it', async () => {
    await start();
    const client = await connected();
    client.say({ type: 'history', id: 1, topic: 'closed.a', last: 4 });
    const { requestId } = await worker.asked('readLast');
    await client.ask({ type: 'refresh', id: 2, token: await tokenOf({ subscribe: ['closed.b'] }) });
    worker.hears({ kind: 'items', requestId, epoch: 'e1', offset: 2, lastOffset: 4, complete: true, more: true, items: items(1, 2) });
    await until('the refusal', () => client.errors.length > 0);
    expect(client.ofType('error')).toMatchObject([{ id: 1, code: 'forbidden' }]);
    expect(worker.toHub.filter(({ kind }) => kind === 'read')).toEqual([]);
  });

  it('returns no more items than clients may read', async () => {
    await start({ namespaces: { open: { public: true, history: { clientItemsMax: 5 } } } });
    const client = worker.client();
    client.say({ type: 'history', id: 1, topic: 'open.a', last: 1000 });
    expect(await worker.asked('readLast')).toMatchObject({ count: 5 });
  });

  it.each([
    ['an ephemeral topic', 'live.a', 'unsupported'],
    ['what the token does not permit', 'closed.b', 'forbidden'],
    ['a topic of no namespace', 'none.a', 'unknown_namespace'],
  ])('refuses %s', async (_, topic, code) => {
    await start();
    const client = await connected({ subscribe: ['closed.a'] });
    expect(await client.ask({ type: 'history', id: 1, topic })).toMatchObject({ type: 'error', code });
  });

  it('refuses a request above the limit of waiting ones', async () => {
    await start({ 'tuning.answers.historiesPerConnectionMax': 2 });
    const client = worker.client();
    for (const id of [1, 2]) client.say({ type: 'history', id, topic: 'open.a' });
    expect(await client.ask({ type: 'history', id: 3, topic: 'open.a' })).toMatchObject({ code: 'busy', retryAfterMs: 1000 });
  });
});

describe('refresh', () => {
  it('replaces the token, and ends subscriptions that the new one does not permit', async () => {
    await start();
    const client = await connected();
    for (const [id, topic] of [
      [1, 'closed.a'],
      [2, 'open.a'],
    ] as const) {
      client.say({ type: 'subscribe', id, topic });
      await worker.open(topic);
      await client.answerTo(id);
    }
    const token = await tokenOf({ subscribe: ['closed.b'] });
    expect(await client.ask({ type: 'refresh', id: 3, token })).toMatchObject({ type: 'refreshed', expiresAtMs: expect.any(Number) });
    expect(client.ofType('error')).toMatchObject([{ code: 'forbidden', topic: 'closed.a' }]);
    expect([...client.connection.receiver.subscriptions.keys()]).toEqual(['open.a']);
    expect(client.connection.identity.subscribe).toEqual(['closed.b']);
  });

  it.each([
    ['of another user', 'forbidden', () => tokenOf({ sub: 'mallory' })],
    ['that has expired', 'token_expired', () => tokenOf({ expiresInMs: -60_000 })],
    ['that is none', 'unauthorized', async () => 'no.token.this'],
  ])('refuses a token %s, and leaves all as it was', async (_, code, token) => {
    await start();
    const client = await connected();
    const { identity } = client.connection;
    expect(await client.ask({ type: 'refresh', id: 1, token: await token() })).toMatchObject({ type: 'error', code });
    expect(client.connection.identity).toBe(identity);
    expect(client.socket.isOpen).toBe(true);
  });

  it('gives an anonymous client a user', async () => {
    await start();
    const client = worker.client();
    expect(await client.ask({ type: 'refresh', id: 1, token: await tokenOf({ sub: 'bob' }) })).toMatchObject({ type: 'refreshed' });
    expect(client.connection.identity.user).toBe('bob');
  });
});

describe('presence', () => {
  it.each([
    ['a namespace without it', 'open.a', 'unsupported'],
    ['what is not permitted', 'closed.a', 'unauthorized'],
  ])('is refused for %s', async (_, topic, code) => {
    await start();
    expect(await worker.client().ask({ type: 'presence', id: 1, topic })).toMatchObject({ type: 'error', code });
  });

  it('asks the hub when the socket has room, and sends its answer', async () => {
    await start({ namespaces: { chat: { public: true, presence: 'members' } } });
    const client = worker.client();
    const { receiver } = client.connection;
    client.socket.bufferedBytes = 100_000;
    client.say({ type: 'presence', id: 1, topic: 'chat.a' });
    worker.client().say({ type: 'presence', id: 1, topic: 'chat.b' });
    expect((await worker.asked('presenceAsk')).topic).toBe('chat.b');
    client.socket.bufferedBytes = 0;
    worker.delivery.slowConsumers.drained(receiver);
    const { requestId, topic } = await worker.asked('presenceAsk');
    expect(topic).toBe('chat.a');
    const state = { count: 3, members: [{ id: 'uann', info: 'Ann' }, { id: 'cx1' }], omitted: false };
    worker.hears({ kind: 'presenceAnswer', requestId, state });
    const members = [{ user: 'ann', info: 'Ann' }, { connectionId: 'x1' }];
    expect(await client.answerTo(1)).toEqual({ type: 'presence', id: 1, topic: 'chat.a', count: 3, members });
  });
});

describe('ping', () => {
  it('is answered with the time and its `t`, also before `connect`', async () => {
    await start({ namespaces: { closed: {} } });
    const client = worker.client();
    client.say({ type: 'ping', t: 5 });
    await until('the answer', () => client.sent.length > 0);
    expect(client.sent).toMatchObject([{ type: 'pong', t: 5, serverTimeMs: expect.any(Number) }]);
  });
});
