import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { tempFile } from '../config/helpers.ts';
import { post, request } from '../support/http.ts';
import { TestNode } from '../support/node.ts';
import { rawRequest, statusOf } from '../support/raw-http.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = {
  chat: { clientPublish: true },
  open: { public: true },
  clean: { public: true, clientPublish: true, sanitize: 'text' },
  brief: { public: true, clientPublish: true, durable: false },
  secret: { history: { clientItemsMax: 0 } },
};

let node: TestNode;
afterEach(() => node.stop());
const start = async (settings: Readonly<Record<string, unknown>> = {}) => {
  node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
};
/** The head of a `POST /publish`, whose body a test sends as it likes. */
const publishHead = (token: string, framing: string) =>
  `POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${framing}\r\n\r\n`;

describe('POST /publish', () => {
  it('stores the publication, says where, and recognizes a repetition, also one that came as a command', async () => {
    await start();
    const token = await tokenOf();
    const first = await post(node, { topic: 'chat.a', data: { n: 1 }, idempotencyKey: 'k' }, { token });
    expect(first).toMatchObject({ status: 200, body: { duplicate: false, epoch: expect.any(String), offset: 1 } });
    expect(await post(node, { topic: 'chat.a', data: { n: 1 }, idempotencyKey: 'k' }, { token })).toMatchObject({
      body: { duplicate: true, offset: 1 },
    });
    const client = await node.connect({ encoding: 'json', token });
    const command = { type: 'publish', topic: 'chat.a', data: 1, idempotencyKey: 'k' } as const;
    expect(await client.get('published', command)).toMatchObject({ duplicate: true, offset: 1 });
    const other = await tokenOf({ sub: 'bob' });
    expect((await post(node, { topic: 'chat.a', data: 1, idempotencyKey: 'k' }, { token: other })).body).toMatchObject({
      duplicate: false,
    });
  });

  it('reaches subscribers with the user as the origin, cleaned where the namespace cleans', async () => {
    await start();
    const client = await node.connect({ encoding: 'json' });
    await client.subscribe('clean.a');
    await post(node, { topic: 'clean.a', data: { text: 'hello <script>x</script>' } }, { token: await tokenOf({ sub: 'carol' }) });
    const { items } = await client.next('batch');
    expect(items[0]?.slice(1)).toEqual([null, { text: 'hello ' }, { origin: 'carol' }]);
  });

  it('has no position in an ephemeral namespace', async () => {
    await start();
    expect((await post(node, { topic: 'brief.a', data: 1 }, { token: await tokenOf() })).body).toEqual({ duplicate: false });
  });

  it.each([
    ['no token', 401, 'unauthorized', undefined],
    ['a token that is no JWT', 401, 'unauthorized', 'x.y.z'],
    ['a token that permits nothing', 403, 'forbidden', () => tokenOf({ publish: [] })],
    ['an expired token', 401, 'unauthorized', () => tokenOf({ expiresInMs: -60_000 })],
  ])('refuses %s with %i %s', async (_, status, code, make) => {
    await start();
    const token = typeof make === 'function' ? await make() : make;
    const answer = await post(node, { topic: 'chat.a', data: 1 }, token === undefined ? {} : { token });
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    expect(answer.headers.get('content-type')).toBe('application/json');
  });

  it.each([
    ['no JSON', 400, 'bad_message', '{'],
    ['an array', 400, 'bad_message', '[]'],
    ['the type of a message', 400, 'bad_message', '{"type":"publish","topic":"chat.a","data":1}'],
    ['the id of a message', 400, 'bad_message', '{"id":1,"topic":"chat.a","data":1}'],
    ['a field that it does not know', 400, 'bad_message', '{"topic":"chat.a","data":1,"__proto__":1}'],
    ['no topic', 400, 'bad_message', '{"data":1}'],
    ['nothing', 400, 'bad_message', ''],
    ['an unknown namespace', 404, 'unknown_namespace', '{"topic":"nowhere.a","data":1}'],
    ['too deep data', 400, 'bad_message', `{"topic":"chat.a","data":${'['.repeat(70)}${']'.repeat(70)}}`],
    ['a body above limits.messageBytesMax', 413, 'message_too_big', JSON.stringify({ topic: 'chat.a', data: 'x'.repeat(70_000) })],
  ])('refuses %s with %i %s', async (_, status, code, body) => {
    await start();
    expect(await post(node, body, { token: await tokenOf() })).toMatchObject({ status, body: { error: { code } } });
  });

  it('refuses a body in chunks that grows above the limit, and reads one that does not', async () => {
    await start();
    const head = publishHead(await tokenOf(), 'Transfer-Encoding: chunked');
    const body = JSON.stringify({ topic: 'chat.a', data: 1 });
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const answer = await rawRequest(node.running.port, `${head}${chunk(body.slice(0, 5))}${chunk(body.slice(5))}0\r\n\r\n`);
    expect(answer).toContain('"duplicate":false');
    expect(statusOf(await rawRequest(node.running.port, `${head}${chunk('x'.repeat(66_000))}`))).toBe(413);
  });

  it('refuses a body of two lengths, by which two requests could be read from one; the same length twice is one', async () => {
    await start();
    const body = JSON.stringify({ topic: 'chat.a', data: 1 });
    const ask = async (...lengths: number[]) =>
      rawRequest(
        node.running.port,
        `${publishHead(await tokenOf(), lengths.map((length) => `Content-Length: ${length}`).join('\r\n'))}${body}`,
      );
    for (const lengths of [
      [body.length, body.length + 5],
      [body.length + 5, body.length],
      [body.length, 0],
    ]) {
      const answer = await ask(...lengths);
      expect([lengths, statusOf(answer), /"code":"(\w+)"/.exec(answer)?.[1]]).toEqual([lengths, 400, 'bad_message']);
    }
    expect(statusOf(await ask(body.length, body.length))).toBe(200);
  });

  it('refuses with 408 what does not arrive in time, and forgets it', async () => {
    await start({ 'tuning.http.bodyTimeoutMs': 100 });
    const head = publishHead(await tokenOf(), 'Content-Length: 60000');
    const answer = await rawRequest(node.running.port, `${head}{`);
    expect([statusOf(answer), /"code":"(\w+)"/.exec(answer)?.[1]]).toEqual([408, 'timeout']);
    expect(await node.metric('stentor_http_request_bytes_in_flight')).toBe(0);
  });

  it('refuses with 408 also with the default time, before uWS closes the silent connection', async () => {
    await start();
    const head = publishHead(await tokenOf(), 'Content-Length: 60000');
    expect(statusOf(await rawRequest(node.running.port, `${head}{`))).toBe(408);
  });

  it('counts the requests of a user as the messages of one connection, and tells when to come again', async () => {
    await start({ 'limits.messagesPerSecondMax': 2 });
    const token = await tokenOf();
    // Far more at once than a slow machine earns meanwhile.
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => post(node, { topic: 'chat.a', data: n }, { token })));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body.error).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect((await post(node, { topic: 'chat.a', data: 1 }, { token: await tokenOf({ sub: 'bob' }) })).status).toBe(200);
  });

  it('is bounded in requests and in bytes: more get busy, of an address three quarters, and room comes back', async () => {
    await start({ 'tuning.http.requestsInFlightMax': 4, 'tuning.http.requestBytesInFlightMax': 1_048_576 });
    const token = await tokenOf();
    const hold = () =>
      net
        .connect(node.running.port, '127.0.0.1')
        .on('error', () => undefined)
        .setNoDelay();
    const held = Array.from({ length: 3 }, hold);
    for (const socket of held) socket.write(publishHead(token, 'Content-Length: 1000'));
    await node.untilMetric('stentor_http_requests_in_flight', (count) => count === 3);
    const busy = await post(node, { topic: 'chat.a', data: 1 }, { token });
    expect(busy).toMatchObject({ status: 503, body: { error: { code: 'busy' } } });
    for (const socket of held) socket.destroy();
    await node.untilMetric('stentor_http_requests_in_flight', (count) => count === 0);
    expect((await post(node, { topic: 'chat.a', data: 1 }, { token })).status).toBe(200);
  });

  it('survives clients that leave before their answer', async () => {
    await start();
    const token = await tokenOf();
    const body = JSON.stringify({ topic: 'chat.left', data: 1 });
    const text = `${publishHead(token, `Content-Length: ${body.length}`)}${body}`;
    for (let n = 0; n < 20; n++) {
      const socket = net.connect(node.running.port, '127.0.0.1', () => socket.write(text, () => socket.resetAndDestroy()));
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await node.untilMetric('stentor_http_requests_in_flight', (count) => count === 0);
    expect((await post(node, { topic: 'chat.a', data: 1 }, { token })).status).toBe(200);
  });
});

describe('GET /history', () => {
  const publishThree = async () => {
    for (const n of [1, 2, 3]) await node.publish('open.a', { n });
  };

  it('gives the last publications without a token where the namespace is public, and continues from a position', async () => {
    await start();
    await publishThree();
    const last = await request(node, '/history?topic=open.a&last=2');
    expect(last).toMatchObject({ status: 200, body: { topic: 'open.a', offset: 3, complete: true, more: false } });
    expect(last.body.items).toEqual([
      [2, null, { n: 2 }],
      [3, null, { n: 3 }],
    ]);
    const { epoch } = last.body;
    const next = await request(node, `/history?topic=open.a&epoch=${epoch}&offset=1&limit=1`);
    expect(next.body).toMatchObject({ offset: 2, more: true, complete: true, items: [[2, null, { n: 2 }]] });
    const timed = await request(node, '/history?topic=open.a&last=1&timestamps=true');
    expect(timed.body.items[0][3]).toEqual({ publishedAtMs: expect.any(Number) });
  });

  it('answers a large page to a reader that is slow, and bounds it', async () => {
    await start({ 'tuning.answers.historyPageBytesMax': 300_000 });
    for (let n = 0; n < 40; n++) await node.publish('open.big', { n, text: 'x'.repeat(10_000) });
    const { body } = await request(node, '/history?topic=open.big&last=100');
    expect([body.items.length < 40, body.more, body.items.length > 20]).toEqual([true, true, true]);
    await node.untilMetric('stentor_http_requests_in_flight', (count) => count === 0);
  });

  it.each([
    ['no topic', 400, 'bad_message', '/history'],
    ['a topic twice', 400, 'bad_message', '/history?topic=open.a&topic=open.b'],
    ['a position as streams have it', 400, 'bad_message', '/history?topic=open.a&since=e:1'],
    ['the type of a message', 400, 'bad_message', '/history?topic=open.a&type=history'],
    ['a bad topic', 400, 'bad_topic', '/history?topic=open..a'],
    ['a pattern where the namespace has none', 404, 'unsupported', '/history?topic=open.*'],
    ['half a position', 400, 'bad_message', '/history?topic=open.a&epoch=x'],
    ['a bad number', 400, 'bad_message', '/history?topic=open.a&last=many'],
    ['timestamps that are neither', 400, 'bad_message', '/history?topic=open.a&timestamps=1'],
    ['a topic that needs a token', 401, 'unauthorized', '/history?topic=chat.a'],
    ['a namespace without history for clients', 404, 'unsupported', '/history?topic=secret.a'],
    ['an unknown namespace', 404, 'unknown_namespace', '/history?topic=nowhere.a'],
  ])('refuses %s with %i %s', async (_, status, code, path) => {
    await start();
    const token = path.includes('secret') ? { token: await tokenOf() } : {};
    expect(await request(node, path, token)).toMatchObject({ status, body: { error: { code } } });
  });

  it('names a parameter that it does not know, also POST /publish, where a key in the query, or a misspelled one in the body, would be lost', async () => {
    await start();
    const { body } = await request(node, '/history?topic=open.a&limits=5');
    expect(body.error.message).toBe(
      'unknown parameter "limits"; known are fields, topic, key, epoch, filter, offset, fromMs, toMs, last, limit, timestamps',
    );
    const init = { method: 'POST', body: JSON.stringify({ topic: 'chat.a', data: 1 }), token: await tokenOf() };
    const refused = await request(node, '/publish?idempotencyKey=k', init);
    expect([refused.status, refused.body.error]).toEqual([
      400,
      { code: 'bad_message', message: 'unknown parameter "idempotencyKey"; this request has none' },
    ]);
    const misspelled = await post(node, { topic: 'chat.a', data: 1, idempotencykey: 'k' }, { token: await tokenOf() });
    expect([misspelled.status, misspelled.body.error]).toEqual([
      400,
      {
        code: 'bad_message',
        message: 'unknown field "idempotencykey"; known are topic, key, data, image, idempotencyKey, echo, volatile, tags',
      },
    ]);
    const list = await post(node, '[]', { token: await tokenOf() });
    expect(list.body.error.message).toBe('the body: must be object');
    for (const path of ['/history?topic=open.a&_=1', '/publish?_=1']) {
      expect((await request(node, path, path.startsWith('/publish') ? init : {})).status).toBe(200);
    }
  });

  it('takes a token from the query only where that is allowed', async () => {
    await start();
    const path = `/history?topic=chat.a&token=${await tokenOf()}`;
    for (const refused of [path, path.replace('chat', 'open')]) {
      const { status, body } = await request(node, refused);
      expect([status, body.error.code, body.error.message]).toEqual([401, 'unauthorized', expect.stringContaining('auth.allowQueryToken')]);
    }
    expect((await request(node, path, { token: await tokenOf() })).status).toBe(200);
    await node.stop();
    await start({ 'auth.allowQueryToken': true });
    expect((await request(node, path)).status).toBe(200);
  });
});

describe('hooks', () => {
  const CONNECT = `export const connect = ({ user }) => (user === 'mallory' ? { allow: false, code: 'banned', message: 'until Monday' } : { allow: true });`;
  const ROOM = `
    export const subscribe = ({ action, topic }) => ({ allow: action !== 'history' || topic !== 'room.closed' });
    export const publish = ({ user, data }) => (data === 'no' ? { allow: false, code: 'rude' } : { allow: true, data: { by: user } });`;

  it('decide about requests as about commands, and may change what is published', async () => {
    const hooks = { module: tempFile('room-http.mjs', ROOM) };
    await start({ 'hooks.module': tempFile('connect-http.mjs', CONNECT), namespaces: { room: { clientPublish: true, hooks } } });
    const token = await tokenOf();
    const refusedBy = async (answer: Promise<{ status: number; body: { error: unknown } }>) => {
      const { status, body } = await answer;
      return { status, ...(body.error as object) };
    };
    const banned = post(node, { topic: 'room.a', data: 1 }, { token: await tokenOf({ sub: 'mallory' }) });
    expect(await refusedBy(banned)).toEqual({ status: 403, code: 'banned', message: 'until Monday', service: true });
    expect(await refusedBy(post(node, { topic: 'room.a', data: 'no' }, { token }))).toMatchObject({
      status: 403,
      code: 'rude',
      service: true,
    });
    expect(await refusedBy(request(node, '/history?topic=room.closed', { token }))).toMatchObject({ status: 403, service: true });
    expect((await post(node, { topic: 'room.a', data: 1 }, { token })).status).toBe(200);
    expect((await request(node, '/history?topic=room.a', { token })).body.items).toEqual([[1, null, { by: 'alice' }, { origin: 'alice' }]]);
  });
});

describe('pages of other origins', () => {
  const PAGE = 'https://page.example';

  it('may do everything where allowedOrigins is empty', async () => {
    await start();
    const answer = await request(node, '/history?topic=open.a', { headers: { origin: PAGE } });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('are answered by name where they are listed, and refused where they are not', async () => {
    await start({ allowedOrigins: [PAGE] });
    const ours = await request(node, '/history?topic=open.a', { headers: { origin: PAGE } });
    expect([ours.status, ours.headers.get('access-control-allow-origin'), ours.headers.get('vary')]).toEqual([200, PAGE, 'Origin']);
    const foreign = await request(node, '/history?topic=open.a', { headers: { origin: 'https://evil.example' } });
    expect([foreign.status, foreign.body.error.code, foreign.headers.get('access-control-allow-origin')]).toEqual([403, 'forbidden', null]);
    expect((await request(node, '/history?topic=open.a')).status).toBe(200);
  });

  it('get the answer to a preflight', async () => {
    await start({ allowedOrigins: [PAGE] });
    const ask = (origin: string, path = '/publish') =>
      request(node, path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    for (const path of ['/publish', '/history?topic=open.a', '/sse?topic=open.a']) {
      const preflight = await ask(PAGE, path);
      expect([path, preflight.status, preflight.headers.get('content-length')]).toEqual([path, 200, '0']);
    }
    const { headers } = await ask(PAGE);
    expect(headers.get('access-control-allow-methods')).toBe('POST');
    expect(headers.get('access-control-allow-headers')).toContain('Authorization');
    expect((await ask('https://evil.example')).status).toBe(403);
  });
});

describe('other methods and paths', () => {
  it('are refused with 405, which names the right one', async () => {
    await start();
    const answer = await request(node, '/publish');
    expect([answer.status, answer.body.error.code, answer.headers.get('allow')]).toEqual([405, 'bad_method', 'POST, OPTIONS']);
    expect((await request(node, '/history', { method: 'DELETE' })).status).toBe(405);
  });
});
