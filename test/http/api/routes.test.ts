import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode } from '../../support/node.ts';
import { sign } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';

const TOKEN = 'the-operators-token';
const BEARER = { Authorization: `Bearer ${TOKEN}` };
const NAMESPACES = {
  scores: { public: true },
  ticks: { public: true, state: 'keyed', maxPayloadBytes: 100 },
  here: { public: true, durable: false, presence: 'members' },
  brief: { public: true, durable: false },
  books: { public: true, state: 'document' },
};

interface Refused {
  readonly error: { readonly code: string; readonly message: string };
}

let node: TestNode;
const get = async (path: string) => {
  const answer = await node.admin(path, BEARER);
  // biome-ignore lint/suspicious/noExplicitAny: whatever the path answers
  return { status: answer.status, body: (await answer.json()) as any };
};
const post = async (path: string, body: unknown) => {
  const url = `http://127.0.0.1:${node.running.adminPort}${path}`;
  const answer = await fetch(url, { method: 'POST', headers: BEARER, body: typeof body === 'string' ? body : JSON.stringify(body) });
  // biome-ignore lint/suspicious/noExplicitAny: whatever the path answers
  return { status: answer.status, body: (await answer.json()) as any };
};
const codeOf = async (asked: Promise<{ status: number; body: Refused }>) => {
  const { status, body } = await asked;
  return [status, body.error?.code];
};

beforeAll(async () => {
  node = await TestNode.start({
    namespaces: NAMESPACES,
    'admin.token': TOKEN,
    'tuning.admin.publicationsPerRequestMax': 5,
    'tuning.admin.bodyBytesMax': 65_536,
    'tuning.admin.pageItemsMax': 3,
  });
});
afterAll(() => node?.stop());

describe('publishing many', () => {
  it('gives each publication its own outcome, in order', async () => {
    const { status, body } = await post('/api/publish-many', {
      publications: [
        { topic: 'scores.many', data: 1 },
        { topic: 'scores.many', key: 'K', data: 2 },
        { topic: 'nowhere.a', data: 3 },
        { topic: 'scores.*', data: 4 },
        { data: 5 },
      ],
    });
    expect(status).toBe(200);
    expect(body.outcomes.map((outcome: Refused) => outcome.error?.code)).toEqual([
      undefined,
      'key_not_allowed',
      'unknown_namespace',
      'bad_topic',
      'bad_message',
    ]);
    expect(body.outcomes[0]).toEqual({ epoch: expect.any(String), offset: expect.any(Number), duplicate: false });
  });

  it('stores publications of a topic in the order of the list, and those with a known idempotency key once', async () => {
    const publications = [1, 2, 3, 4, 5].map((data) => ({ topic: 'scores.order', data, idempotencyKey: `k${data}` }));
    const first = (await post('/api/publish-many', { publications })).body.outcomes;
    const again = (await post('/api/publish-many', { publications })).body.outcomes;
    expect(again).toEqual(first.map((outcome: object) => ({ ...outcome, duplicate: true })));
    expect((await post('/api/publish', publications[0])).body).toEqual(again[0]);
    const pages = [
      (await get('/api/history?topic=scores.order&limit=3')).body,
      (await get('/api/history?topic=scores.order&limit=100')).body,
    ];
    for (const { items } of pages) expect(items.map(({ data }: { data: number }) => data)).toEqual([3, 4, 5]);
  });

  it('refuses too many, too much, and what is no list', async () => {
    const one = { topic: 'scores.bound', data: 1 };
    expect(await codeOf(post('/api/publish-many', { publications: Array(6).fill(one) }))).toEqual([400, 'bad_message']);
    expect(await codeOf(post('/api/publish-many', { publications: [] }))).toEqual([400, 'bad_message']);
    expect(await codeOf(post('/api/publish-many', [one]))).toEqual([400, 'bad_message']);
    expect(await codeOf(post('/api/publish-many', { publications: [one], more: true }))).toEqual([400, 'bad_message']);
    expect(await codeOf(post('/api/publish-many', `{"publications":["${'x'.repeat(70_000)}"]}`))).toEqual([413, 'message_too_big']);
    expect((await get('/api/history?topic=scores.bound')).body.items).toEqual([]);
  });
});

describe('history', () => {
  it('has the last publications, and pages from a position on', async () => {
    for (let i = 0; i < 7; i++) await node.publish('scores.long', i);
    const last = (await get('/api/history?topic=scores.long&limit=2')).body;
    expect(last).toMatchObject({ topic: 'scores.long', complete: true, more: false });
    expect(last.items.map(({ data, key }: { data: number; key: null }) => [data, key])).toEqual([
      [5, null],
      [6, null],
    ]);
    const read: number[] = [];
    let [offset, more] = [0, true];
    while (more) {
      const page = (await get(`/api/history?topic=scores.long&epoch=${last.epoch}&offset=${offset}`)).body;
      expect(page.items.length).toBeLessThanOrEqual(3);
      read.push(...page.items.map(({ data }: { data: number }) => data));
      ({ offset, more } = page);
    }
    expect(read).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const stale = (await get(`/api/history?topic=scores.long&epoch=another&offset=3`)).body;
    expect(stale).toMatchObject({ epoch: last.epoch, complete: false, items: [] });
  });

  it('has what was published between two times, in pages', async () => {
    for (let i = 0; i < 5; i++) await node.publish('scores.times', i);
    const { items } = (await get('/api/history?topic=scores.times')).body;
    const fromMs = items[0].publishedAtMs;
    const page = (await get(`/api/history?topic=scores.times&fromMs=${fromMs}&toMs=${fromMs + 60_000}&limit=2`)).body;
    expect(page).toMatchObject({ complete: true, more: true });
    const rest = (await get(`/api/history?topic=scores.times&epoch=${page.epoch}&offset=${page.offset}&toMs=${fromMs + 60_000}`)).body;
    const offsets = [...page.items, ...rest.items].map(({ offset }: { offset: number }) => offset);
    expect(offsets).toEqual(offsets.map((_, index) => items[2].offset - offsets.length + 1 + index));
    expect([rest.complete, rest.more]).toEqual([true, false]);
    expect((await get(`/api/history?topic=scores.times&fromMs=${Date.now() + 60_000}`)).body.items).toEqual([]);
    for (const query of ['fromMs=5&toMs=5', 'toMs=5', 'fromMs=x', `fromMs=5&epoch=${page.epoch}&offset=1`])
      expect(await codeOf(get(`/api/history?topic=scores.times&${query}`))).toEqual([400, 'bad_message']);
  });

  it('shows tags, and what is a patch of a document', async () => {
    const tags = { league: 'epl', status: 'live' };
    await node.publish('scores.tagged', 1, { tags });
    await node.publish('scores.tagged', 2);
    const { items } = (await get('/api/history?topic=scores.tagged')).body;
    expect(items).toMatchObject([{ data: 1, tags }, { data: 2 }]);
    expect(items[1]).not.toHaveProperty('tags');
    await node.publish('books.a', { a: 1, b: 1 }, { image: true });
    await node.publish('books.a', { a: 2 });
    const books = (await get('/api/history?topic=books.a')).body.items;
    expect(books.map(({ data, patch }: { data: unknown; patch?: true }) => [data, patch])).toEqual([
      [{ a: 1, b: 1 }, undefined],
      [{ a: 2 }, true],
    ]);
  });

  it('keeps the digits of long integers, and says which key was removed and who published', async () => {
    await post('/api/publish', '{"topic":"ticks.fx","key":"EUR","data":8389765929445198309}');
    await node.publish('ticks.fx', null, { key: 'USD' });
    const { items } = (await get('/api/history?topic=ticks.fx')).body;
    expect(items).toMatchObject([
      { key: 'EUR', data: '8389765929445198309', publishedAtMs: expect.any(Number) },
      { key: 'USD', data: null, removed: true },
    ]);
  });

  it('is refused where there is none, with half a position, and with parameters that it does not know', async () => {
    expect(await codeOf(get('/api/history?topic=nowhere.a'))).toEqual([404, 'unknown_namespace']);
    expect(await codeOf(get('/api/history?topic=brief.a'))).toEqual([404, 'unsupported']);
    expect(await codeOf(get('/api/history?topic=a..b'))).toEqual([400, 'bad_topic']);
    for (const query of [
      '',
      'topic=scores.a&offset=3',
      'topic=scores.a&limit=0',
      'topic=scores.a&topic=scores.b',
      'topic=scores.a&last=3',
    ]) {
      expect(await codeOf(get(`/api/history?${query}`))).toEqual([400, 'bad_message']);
    }
  });
});

describe('topics', () => {
  it('are listed page by page by name, and by prefix in every order', async () => {
    const client = await node.connect();
    for (const topic of ['scores.p.a', 'scores.p.b', 'scores.p.c', 'scores.p.d', 'scores.q.a']) await client.subscribe(topic);
    const first = (await get('/api/topics?sort=name&prefix=scores.p.&limit=3')).body;
    expect(first).toMatchObject({ sort: 'name', total: 4, next: 'scores.p.c' });
    const second = (await get(`/api/topics?sort=name&prefix=scores.p.&limit=3&after=${first.next}`)).body;
    expect(second.next).toBeUndefined();
    expect([...first.topics, ...second.topics].map(({ topic, members }) => [topic, members])).toEqual(
      ['a', 'b', 'c', 'd'].map((last) => [`scores.p.${last}`, 1]),
    );
    for (const sort of ['members', 'rate']) {
      const { topics, total } = (await get(`/api/topics?sort=${sort}&prefix=scores.q.`)).body;
      expect([total, topics.map(({ topic }: { topic: string }) => topic)]).toEqual([1, ['scores.q.a']]);
    }
    expect(await codeOf(get('/api/topics?sort=rate&after=x'))).toEqual([400, 'bad_message']);
    expect((await get('/api/topics?sort=size')).body.error.message).toBe('sort: expected one of members, rate, name');
    await client.close();
  });
});

describe('presence', () => {
  it('says who is subscribed, where the namespace has it', async () => {
    const ann = await node.connect({
      encoding: 'json',
      token: await sign({ sub: 'ann', exp: Date.now() / 1000 + 60, stentor: { info: { team: 2 } } }),
    });
    await ann.subscribe('here.room');
    const { connectionId } = await ann.next('connected');
    const anonymous = await node.connect();
    await anonymous.subscribe('here.room');
    const body = await until('both to be counted', async () => {
      const answer = (await get('/api/presence?topic=here.room')).body;
      return answer.count === 2 ? answer : undefined;
    });
    expect(body.members).toEqual(expect.arrayContaining([{ user: 'ann', info: { team: 2 } }, { connectionId: expect.any(String) }]));
    expect(body.members.map((member: { connectionId?: string }) => member.connectionId)).not.toContain(connectionId);
    expect((await get('/api/presence?topic=here.nobody')).body).toEqual({ topic: 'here.nobody', count: 0, members: [] });
    expect(await codeOf(get('/api/presence?topic=scores.a'))).toEqual([404, 'unsupported']);
    expect(await codeOf(get('/api/presence?topic=nowhere.a'))).toEqual([404, 'unknown_namespace']);
    await Promise.all([ann.close(), anonymous.close()]);
  });
});

describe('users and their connections', () => {
  it('are listed by name, and found by user, connection and token', async () => {
    const users = ['u.bob', 'u.cai', 'u.dee', 'u.eve', 'u.eve'];
    const clients = await Promise.all(
      users.map(async (sub, index) => {
        const token = await sign({ sub, jti: `t${index}`, exp: Date.now() / 1000 + 60 });
        const client = await node.connect({ encoding: index === 0 ? 'msgpack' : 'json', token });
        return { client, connectionId: (await client.next('connected')).connectionId };
      }),
    );
    await clients[0]?.client.subscribe('scores.found');
    const first = (await get('/api/users?prefix=u.&limit=3')).body;
    const from = { nodes: 1, nodesSilent: [] };
    expect(first).toEqual({
      ...from,
      total: 4,
      next: 'u.dee',
      users: ['u.bob', 'u.cai', 'u.dee'].map((user) => ({ user, connections: 1 })),
    });
    const second = (await get('/api/users?prefix=u.&limit=3&after=u.dee')).body;
    expect(second).toEqual({ ...from, total: 4, users: [{ user: 'u.eve', connections: 2 }] });
    const bob = {
      connectionId: clients[0]?.connectionId,
      nodeId: node.running.nodeId,
      user: 'u.bob',
      encoding: 'msgpack',
      connectedForMs: expect.any(Number),
      subscriptions: 1,
      topics: ['scores.found'],
      lagging: false,
      bufferedBytes: 0,
    };
    const found = { ...from, total: 1, connections: [bob], workersSilent: 0 };
    expect((await get('/api/connections?user=u.bob')).body).toEqual(found);
    expect((await get(`/api/connections?connectionId=${bob.connectionId}`)).body).toEqual(found);
    expect((await get('/api/connections?tokenId=t0')).body).toEqual(found);
    expect((await get('/api/connections?user=u.eve&limit=1')).body).toMatchObject({ total: 2, connections: [{ user: 'u.eve' }] });
    expect((await get('/api/connections?user=nobody')).body).toEqual({ ...from, total: 0, connections: [], workersSilent: 0 });
    for (const query of ['', 'user=a&tokenId=b', 'name=a'])
      expect(await codeOf(get(`/api/connections?${query}`))).toEqual([400, 'bad_message']);
    const { message } = (await get('/api/connections?user=a&tokenId=b')).body.error;
    expect(message).toBe('the query: expected one of user, connectionId and tokenId');
    await Promise.all(clients.map(({ client }) => client.close()));
    await until('the users to be gone', async () => (await get('/api/users?prefix=u.')).body.total === 0);
  });
});

describe('the config', () => {
  it('is shown without secrets', async () => {
    const { body } = await get('/api/config');
    expect(body.admin.token).toBe('(redacted)');
    expect(body.auth.keys[0].secret).toBe('(redacted)');
    expect(body.namespaces.brief.durable).toBe(false);
    expect(JSON.stringify(body)).not.toContain(TOKEN);
  });
});

describe('orders', () => {
  it.each([
    ['/api/disconnect', { reason: 'x' }, 'user, connectionId and tokenId'],
    ['/api/disconnect', { user: 'a', tokenId: 'b' }, 'user, connectionId and tokenId'],
    ['/api/unsubscribe', { topic: 'scores.a' }, 'user, connectionId and tokenId'],
    ['/api/revoke', { user: 'a', tokenId: 'b' }, 'user and tokenId'],
  ])('to %s must have exactly one target: not %j', async (path, body, names) => {
    expect(await post(path, body)).toEqual({
      status: 400,
      body: { error: { code: 'bad_message', message: `the body: expected one of ${names}` } },
    });
  });
});

describe('requests', () => {
  it('are refused with busy when the bodies of others leave no room, which is free again after them', async () => {
    const bound = { 'tuning.admin.bodyBytesMax': 65_536, 'tuning.admin.bodiesBytesMax': 65_536 };
    const small = await TestNode.start({ 'admin.token': TOKEN, ...bound });
    const url = `http://127.0.0.1:${small.running.adminPort}/api/publish-many`;
    const body = JSON.stringify({ publications: [{ topic: 'scores.a', data: 'x'.repeat(40_000) }] });
    const ask = () => fetch(url, { method: 'POST', headers: BEARER, body });
    try {
      // It has sent most of its body, and not the end.
      const slow = request(url, { method: 'POST', headers: { ...BEARER, 'Content-Length': body.length } });
      slow.on('error', () => undefined);
      slow.write(body.slice(0, 39_000));
      const refused = await until('one to be refused', async () => {
        const answer = await ask();
        return answer.status === 503 ? answer.json() : void (await answer.arrayBuffer());
      });
      expect(refused).toEqual({
        error: { code: 'busy', message: 'the bodies of other requests take up tuning.admin.bodiesBytesMax (65536)' },
      });
      const answered = once(slow, 'response');
      slow.end(body.slice(39_000));
      const [answer] = (await answered) as [IncomingMessage];
      expect(answer.statusCode).toBe(200);
      answer.resume();
      await until('the room to be free', async () => (await ask()).status === 200);
      const cut = request(url, { method: 'POST', headers: { ...BEARER, 'Content-Length': body.length } });
      cut.on('error', () => undefined);
      cut.write(body.slice(0, 39_000));
      await until('one to be refused', async () => (await ask()).status === 503);
      cut.destroy();
      await until('the room to be free', async () => (await ask()).status === 200);
    } finally {
      await small.stop();
    }
  });

  it('are refused with busy when too many are being answered', async () => {
    const small = await TestNode.start({ 'admin.token': TOKEN, 'tuning.admin.requestsInFlightMax': 1 });
    try {
      // Rates take a second the first time.
      const slow = small.admin('/api/topics', BEARER);
      await until('one to be refused', async () => (await small.admin('/api/nodes', BEARER)).status === 503);
      expect((await slow).status).toBe(200);
      expect((await small.admin('/api/nodes', BEARER)).status).toBe(200);
    } finally {
      await small.stop();
    }
  });

  it('get 404 and 405 as JSON, with the methods that there are', async () => {
    expect(await codeOf(get('/api/nothing'))).toEqual([404, 'not_found']);
    const answer = await fetch(`http://127.0.0.1:${node.running.adminPort}/api/node`, { method: 'DELETE', headers: BEARER });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});
