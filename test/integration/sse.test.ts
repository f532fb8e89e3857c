import { afterEach, describe, expect, it } from 'vitest';
import { EventClient, type EventClientOptions } from '../support/event-client.ts';
import { TestNode } from '../support/node.ts';
import { sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  open: { public: true },
  other: { public: true },
  brief: { public: true, durable: false },
  chat: { presence: 'members' },
};

let node: TestNode;
const clients: EventClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await node.stop();
});
const start = async (settings: Readonly<Record<string, unknown>> = {}) => {
  node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
};
const stream = (query: string, options: EventClientOptions = {}) => {
  const client = new EventClient(node.running.port, `/sse?${query}`, options);
  clients.push(client);
  return client;
};
const numbers = (client: EventClient, topic: string) => client.items(topic).map((item) => (item as [number, null, { n: number }])[2].n);
const errorOf = async (client: EventClient) => {
  await client.closed;
  return JSON.parse(client.bodyText).error;
};
/** The status and the code with which the node has refused it. */
const refusalOf = async (client: EventClient) => {
  const { code } = await errorOf(client);
  return [client.status, code];
};

it('a stream has at most topicsPerStreamMax topics', async () => {
  await start({ 'tuning.http.topicsPerStreamMax': 2 });
  expect(await refusalOf(stream('topic=open.a&topic=open.b&topic=open.c'))).toEqual([400, 'bad_message']);
  await stream('topic=open.a&topic=open.b').next('subscribed', 2);
});

describe('GET /sse', () => {
  it('sends the messages that a WebSocket client would get, named by their types, each with an id', async () => {
    await start();
    await node.publish('open.a', { n: 1 });
    const client = stream('topic=open.a&topic=brief.b&snapshot=true');
    await client.next('subscribed', 2);
    expect(client.status).toBe(200);
    expect(client.headText).toMatch(/content-type: text\/event-stream/i);
    expect(client.headText).toMatch(/x-accel-buffering: no/i);
    expect(client.retryMs).toBeGreaterThan(0);
    const web = await node.connect();
    await web.subscribe('open.a');
    await node.publish('open.a', { n: 2 });
    await node.publish('brief.b', { n: 3 });
    const batch = await client.next('batch');
    const { sentAtMs: _, ...wanted } = await web.next('batch');
    expect(batch.data).toMatchObject(wanted);
    await until('the other batch', () => client.items('brief.b').length === 1);
    expect(client.events.map(({ event, data }) => event === data.type)).not.toContain(false);
    expect(numbers(client, 'open.a')).toEqual([1, 2]);
    const [, first] = client.events.filter(({ data }) => data.topic === 'open.a');
    expect(first?.id).toMatch(/^1;\w+;[\w-]+;2,$/);
    expect(client.ofType('batch').find(({ data }) => data.topic === 'brief.b')?.id).toBeUndefined();
  });

  it('continues after the last event, on this node and with every part cut off, so that nothing is missing and nothing comes twice', async () => {
    await start();
    const topics = ['open.a', 'open.b', 'other.c'];
    const query = topics.map((topic) => `topic=${topic}`).join('&');
    let published = 0;
    const publish = async (count: number) => {
      for (let i = 0; i < count; i++) await node.publish(topics[published % 3] as string, { n: published++ });
    };
    const seen = new Map<string, number[]>(topics.map((topic) => [topic, []]));
    let lastEventId: string | undefined;
    for (let round = 0; round < 12; round++) {
      const client = stream(query, lastEventId === undefined ? {} : { lastEventId });
      await client.next('subscribed', 3);
      if (round > 0) expect(client.ofType('subscribed').every(({ data }) => data.recovered)).toBe(true);
      // Cut at any byte: what has not arrived as a whole event does not count.
      const publishing = publish(20);
      await until('some of it', () => client.items('open.a').length > round % 4);
      client.socket.destroy();
      await client.closed;
      await publishing;
      lastEventId = client.lastEventId;
      for (const topic of topics) seen.get(topic)?.push(...numbers(client, topic));
    }
    const last = stream(query, { lastEventId: lastEventId as string });
    await last.next('subscribed', 3);
    for (const topic of topics) seen.get(topic)?.push(...numbers(last, topic));
    const expected = (index: number) => Array.from({ length: published }, (_, n) => n).filter((n) => n % 3 === index);
    expect(topics.map((topic) => seen.get(topic))).toEqual([0, 1, 2].map(expected));
  });

  it('says so where it cannot continue: with the state, and `recovered: false`', async () => {
    await start();
    await node.publish('open.a', { n: 1 });
    for (const lastEventId of ['1;zzz;e;1', 'junk', '1;;', 'x'.repeat(3000)]) {
      const client = stream('topic=open.a', { lastEventId });
      expect((await client.next('subscribed')).data).toMatchObject({ recovered: false, items: [[1, null, { n: 1 }]] });
    }
  });

  it('takes positions from the request, and the id in the query, as clients that cannot set headers need', async () => {
    await start();
    await node.publish('open.a', { n: 1 });
    await node.publish('open.a', { n: 2 });
    const first = stream('topic=open.a&snapshot=true');
    const { epoch } = (await first.next('subscribed')).data;
    const second = stream(`topic=open.a&topic=open.b&since=${epoch}:1&since=`);
    await second.next('subscribed', 2);
    expect(numbers(second, 'open.a')).toEqual([2]);
    await node.publish('open.a', { n: 3 });
    const third = stream(`topic=open.a&lastEventId=${encodeURIComponent(first.lastEventId)}`);
    await third.next('subscribed');
    expect(numbers(third, 'open.a')).toEqual([3]);
  });

  it('has the options of a subscribe: rate classes, times, and who is there', async () => {
    await start();
    const token = await tokenOf({ sub: 'ann' });
    const client = stream('topic=chat.a&presence=true&timestamps=true&maxRateHz=10', { token });
    expect((await client.next('subscribed')).data).toMatchObject({ id: 1, rateHz: 10 });
    expect((await client.next('presence')).data).toMatchObject({ count: 1, members: [{ user: 'ann' }] });
    await node.publish('chat.a', { n: 1 });
    expect((await client.next('batch')).data.items[0][3]).toMatchObject({ publishedAtMs: expect.any(Number) });
    const other = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'bob' }) });
    await other.subscribe('chat.a');
    await until('bob', () => client.ofType('presence').some(({ data }) => data.joined?.[0]?.user === 'bob'));
    client.socket.destroy();
    await until('ann to leave', async () => (await other.get('presence', { type: 'presence', topic: 'chat.a' })).count === 1);
  });

  it.each([
    ['51 topics', 400, 'bad_message', Array.from({ length: 51 }, (_, n) => `topic=open.t${n}`).join('&')],
    ['a topic twice', 400, 'bad_message', 'topic=open.a&topic=open.a'],
    ['a bad topic', 400, 'bad_topic', 'topic=open.*'],
    ['a bad rate', 400, 'bad_message', 'topic=open.a&maxRateHz=-1'],
    ['a bad flag', 400, 'bad_message', 'topic=open.a&snapshot=1'],
    ['positions for other topics', 400, 'bad_message', 'topic=open.a&since=e:1&since=e:2'],
    ['snapshot for other topics', 400, 'bad_message', 'topic=open.a&snapshot=true&snapshot=false'],
    ['a bad position', 400, 'bad_message', 'topic=open.a&since=e'],
    ['a rate twice', 400, 'bad_message', 'topic=open.a&maxRateHz=1&maxRateHz=2'],
    ['a flag twice', 400, 'bad_message', 'topic=open.a&timestamps=true&timestamps=false'],
    ['an option that streams do not have', 400, 'bad_message', 'topic=open.a&echo=false'],
  ])('refuses %s with %i %s', async (_, status, code, query) => {
    await start();
    expect(await refusalOf(stream(query))).toEqual([status, code]);
  });

  it('names a parameter that it does not know, so that a typo does not subscribe to nothing', async () => {
    await start();
    expect(await errorOf(stream('topics=open.a'))).toEqual({
      code: 'bad_message',
      message:
        'unknown parameter "topics"; known are topic, snapshot, since, fields, timestamps, presence, maxRateHz, filter, sinceMs, lastEventId',
    });
    const long = await errorOf(stream(`topic=open.a&${'x'.repeat(5000)}=1`));
    expect(long.message).toMatch(/^unknown parameter "x{40}"; /);
    expect((await errorOf(stream('topic=open.a&__proto__=1'))).message).toMatch(/^unknown parameter "__proto__"/);
  });

  it('ignores `_`, which libraries add to get past caches', async () => {
    await start();
    const client = stream('topic=open.a&_=1732665600000&_=2');
    expect((await client.next('subscribed')).data).toMatchObject({ id: 1, topic: 'open.a' });
  });

  it('without topics says who the client is; and takes `snapshot` for each topic', async () => {
    await start();
    const nobody = stream('', { token: await tokenOf({ sub: 'ann' }) });
    expect((await nobody.next('connected')).data).toMatchObject({ user: 'ann' });
    await node.publish('open.a', { n: 1 });
    await node.publish('open.b', { n: 2 });
    const client = stream('topic=open.a&topic=open.b&snapshot=true&snapshot=false');
    await client.next('subscribed', 2);
    expect([numbers(client, 'open.a'), numbers(client, 'open.b')]).toEqual([[1], []]);
  });

  it('tells of a topic that it may not have, and sends the others', async () => {
    await start();
    const client = stream('topic=open.a&topic=chat.a&topic=nowhere.b');
    await client.next('error', 2);
    expect(client.ofType('error').map(({ data }) => [data.id, data.code])).toEqual([
      [2, 'unauthorized'],
      [3, 'unknown_namespace'],
    ]);
    await node.publish('open.a', { n: 1 });
    await client.next('batch');
  });
});

describe('the token of a stream', () => {
  it('is refused with 401 before the stream begins, whatever is wrong with it', async () => {
    await start();
    const forged = await sign({ sub: 'eve', exp: Date.now() / 1000 + 600 }, new TextEncoder().encode('another-secret-of-32-characters!!'));
    for (const token of ['x.y.z', forged, await tokenOf({ expiresInMs: -60_000 })]) {
      const client = stream('topic=open.a', { token });
      expect(await refusalOf(client)).toEqual([401, 'unauthorized']);
      expect(client.headText).toMatch(/www-authenticate: bearer/i);
    }
  });

  it('is required where no namespace is public', async () => {
    await start({ namespaces: { chat: {} } });
    const client = stream('topic=chat.a');
    await client.closed;
    expect(client.status).toBe(401);
  });

  it('may come in the query where that is allowed, and ends the stream when it expires', async () => {
    await start({ 'auth.allowQueryToken': true, 'auth.clockToleranceMs': 0 });
    const token = await tokenOf({ sub: 'ann', expiresInMs: 1500 });
    const client = stream(`topic=chat.a&token=${token}`);
    expect((await client.next('connected')).data).toMatchObject({ user: 'ann' });
    const { data } = await client.next('closed');
    expect(data).toMatchObject({ type: 'closed', code: 4201, reason: 'token expired' });
    await until('the end', () => client.isComplete);
  });

  it('counts among the connections of its user', async () => {
    await start({ 'limits.connectionsPerUserMax': 1 });
    const token = await tokenOf({ sub: 'ann' });
    const first = stream('topic=chat.a', { token });
    await first.next('connected');
    const web = await node.connect({ encoding: 'json', token });
    await web.next('connected');
    expect((await first.next('closed')).data).toMatchObject({ code: 4008, retryMs: 3_600_000 });
  });
});

describe('a stream as a connection', () => {
  it('is counted with the WebSockets, and refused where there are too many', async () => {
    await start({ 'limits.connectionsPerWorkerMax': 2 });
    const first = stream('topic=open.a');
    await first.next('subscribed');
    await node.connect();
    const third = stream('topic=open.a');
    expect(await refusalOf(third)).toEqual([503, 'unavailable']);
    expect(third.headText).toMatch(/retry-after: 5/i);
    expect([await node.metric('stentor_event_streams'), await node.metric('stentor_handshakes')]).toEqual([1, 0]);
    first.socket.destroy();
    await node.untilMetric('stentor_event_streams', (count) => count === 0);
    expect(await node.metric('stentor_handshakes')).toBe(0);
    await stream('topic=open.a').next('subscribed');
  });

  it('shows that it is alive by comments', async () => {
    await start({ 'heartbeat.pingIntervalMs': 200, 'tuning.connections.pongTimeoutMs': 50 });
    const client = stream('topic=open.a');
    await until('four comments', () => client.comments >= 4);
    expect(client.isClosed).toBe(false);
  });

  it('is told of a drain, and when to come back', async () => {
    await start();
    const client = stream('topic=open.a');
    await client.next('subscribed');
    const stopping = node.stop();
    expect((await client.next('closing')).data).toMatchObject({ code: 4200 });
    expect((await client.next('closed')).data).toMatchObject({ code: 4200, retryMs: client.retryMs });
    client.socket.destroy();
    await stopping;
    await start();
  });
});

describe('a stream whose peer does not read', () => {
  /**
   * Publishes numbers until the node has noticed, a few at a time: a node that is asked less often, by a busy machine, misses more than may be recovered.
   * @returns how many
   */
  const fillUntilLagging = async (topic: string) => {
    let n = 0;
    // Not the number of those that lag now: it may have been cut before it is asked for.
    while ((await node.metric('stentor_connections_lagged_total')) === 0) {
      for (const end = n + 10; n < end; n++) {
        await node.publish(topic, { n, text: 'x'.repeat(20_000) });
        // The bus of this process must get its turn.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (n > 3000) throw new Error('the stream never filled');
    }
    return n;
  };

  it('leaves the fast path, and gets everything when it reads again: in order, nothing twice', async () => {
    await start({ 'tuning.recent.bytesPerTopicMax': 65_536 });
    const client = stream('topic=open.a');
    await client.next('subscribed');
    client.socket.pause();
    const sent = await fillUntilLagging('open.a');
    for (let n = sent; n < sent + 20; n++) await node.publish('open.a', { n, text: '' });
    client.socket.resume();
    await until('everything', () => client.items('open.a').length >= sent + 20);
    expect(numbers(client, 'open.a')).toEqual(Array.from({ length: sent + 20 }, (_, n) => n));
    await node.untilMetric('stentor_connections_lagging', (count) => count === 0);
    await node.publish('open.a', { n: sent + 20 });
    await until('the fast path again', () => numbers(client, 'open.a').at(-1) === sent + 20);
  });

  it('is cut when it does not read for limits.slowTimeoutMs, and can come back', async () => {
    await start({ 'limits.slowTimeoutMs': 300 });
    const client = stream('topic=open.a');
    await client.next('subscribed');
    client.socket.pause();
    const sent = await fillUntilLagging('open.a');
    await node.untilMetric('stentor_event_streams', (count) => count === 0);
    expect(await node.metric('stentor_connections_closed_total', { code: '4103' })).toBe(1);
    client.socket.resume();
    await client.closed;
    const again = stream('topic=open.a', { lastEventId: client.lastEventId });
    await again.next('subscribed');
    await until('the rest', () => client.items('open.a').length + again.items('open.a').length >= sent);
    expect([...numbers(client, 'open.a'), ...numbers(again, 'open.a')]).toEqual(Array.from({ length: sent }, (_, n) => n));
  });

  it('is cut as too slow when its socket takes nothing for two ping intervals, before limits.slowTimeoutMs', async () => {
    await start({ 'heartbeat.pingIntervalMs': 500, 'tuning.connections.pongTimeoutMs': 100 });
    const client = stream('topic=open.a');
    await client.next('subscribed');
    client.socket.pause();
    await fillUntilLagging('open.a');
    await node.untilMetric('stentor_event_streams', (count) => count === 0);
    expect(await node.metric('stentor_connections_closed_total', { code: '4103' })).toBe(1);
    expect(await node.metric('stentor_connections_closed_total', { code: '1006' })).toBe(0);
    client.socket.destroy();
  });
});
