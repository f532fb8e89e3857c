import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type Item as SdkItem } from '../../src/client/index.ts';
import type { Item, ServerMessage } from '../../src/protocol/messages.ts';
import { EventClient } from '../support/event-client.ts';
import type { TestNode } from '../support/node.ts';
import { NodePair } from '../support/node-pair.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  scores: { public: true, clientPublish: true, wildcards: true },
  short: { public: true, history: { maxCount: 50 } },
  orders: { public: true, state: 'keyed' },
  values: { public: true, delta: 'fields' },
  books: { public: true, state: 'document' },
  live: { public: true, durable: false, clientPublish: true },
};
const dataOf = (items: readonly Item[]) => items.filter((item) => item.length > 1).map(([, , data]) => data);

let pair: NodePair;
let topics = 0;
const newTopic = (namespace = 'scores') => `${namespace}.t${topics++}`;

beforeAll(async () => {
  // So little that recovery reads the log.
  pair = await NodePair.start({ namespaces: NAMESPACES, 'tuning.recent.itemsPerTopicMax': 16, 'tuning.hub.topicLingerMs': 0 });
});
afterAll(() => pair?.stop());

const node = (n: number) => pair.both[n % 2] as TestNode;
const publish = async (subject: string, data: unknown, tags: Readonly<Record<string, string>> = {}) => {
  const all = headers();
  for (const [name, text] of Object.entries(tags)) all.append(`Stentor-Tag-${name}`, text);
  return (await jetstream(pair.program).publish(`feed.${subject}`, JSON.stringify(data), { headers: all })).seq;
};

describe('filters of tags, over two nodes and NATS', () => {
  it.each(['json', 'msgpack'] as const)(
    'give what matches: live, recovered from the log at the other node, and as the state, in %s',
    async (encoding) => {
      const topic = newTopic();
      const filter = { league: ['epl', 'ucl'], status: 'live' };
      const client = await node(0).connect({ encoding });
      const tracker = client.track(topic);
      const { epoch, offset } = await client.subscribe(topic, { filter });
      const leagues = ['epl', 'liga', 'ucl', 'none'];
      const sent: { n: number; fits: boolean }[] = [];
      let last = 0;
      const publishSome = async (count: number) => {
        for (let n = sent.length, end = n + count; n < end; n++) {
          const tags = { league: leagues[n % 4] as string, status: n % 3 === 0 ? 'over' : 'live' };
          sent.push({ n, fits: (n % 4 === 0 || n % 4 === 2) && n % 3 !== 0 });
          last = await publish(topic, n, tags);
        }
      };
      const due = () => sent.filter(({ fits }) => fits).map(({ n }) => n);
      await publishSome(60);
      // It matches, so everything before it has come.
      const marked = await publish(topic, 'end', { league: 'epl', status: 'live' });
      await client.until('the end', () => tracker.last >= marked);
      expect(tracker.items.map(({ data }) => data)).toEqual([...due(), 'end']);
      expect(tracker.gaps).toBe(0);
      expect(tracker.items[0]?.meta).toEqual({ tags: { league: 'ucl', status: 'live' } });

      const other = await node(1).connect({ encoding });
      const missed = await other.subscribe(topic, { filter, since: { epoch, offset } });
      expect(missed.recovered).toBe(true);
      expect(dataOf(missed.items)).toEqual([...due(), 'end']);
      // Without a filter: it tells when that node has the next publication, which does not match.
      const witness = await node(1).connect({ encoding });
      const seen = witness.track(topic);
      await witness.subscribe(topic);
      await publishSome(1);
      await witness.until('the last publication', () => seen.last >= last);
      const { items } = await (await node(1).connect({ encoding })).subscribe(topic, { filter, snapshot: true });
      expect(dataOf(items)).toEqual([]);
      const all = await other.get('history', { type: 'history', topic, last: 2 });
      expect(dataOf(all.items)).toEqual(['end', 60]);
      expect(last).toBeGreaterThan(marked);
    },
  );

  it('keep the position near the head, so that who gets nothing for long misses nothing', async () => {
    const topic = newTopic('short');
    const filter = { kind: 'rare' };
    const client = await node(0).connect();
    const tracker = client.track(topic);
    const first = await client.subscribe(topic, { filter });
    let end = 0;
    for (let n = 0; n < 140; n++) end = await publish(topic, n, { kind: 'usual' });
    await client.until('covered places', () => tracker.last > end - 40);
    expect(tracker).toMatchObject({ gaps: 0, items: [] });
    const since = { epoch: first.epoch, offset: tracker.last };
    await client.close();
    const back = await (await node(1).connect()).subscribe(topic, { filter, since });
    expect(back).toMatchObject({ recovered: true, items: [] });
    // The log does not reach so far back: without it, nothing would prove that nothing is missing.
    const late = await (await node(1).connect()).subscribe(topic, { filter, since: { epoch: first.epoch, offset: first.offset } });
    expect(late.recovered).toBe(false);
  });

  it('work for keyed topics, one key and patterns, with rates, and without a log', async () => {
    const orders = newTopic('orders');
    const filter = { status: 'open' };
    await publish(`${orders}.A`, 1, { status: 'open' });
    await publish(`${orders}.B`, 2, { status: 'open' });
    await publish(`${orders}.B`, 3, { status: 'done' });
    const { client } = await pair.client(node(0), 'ann', 'json');
    expect(dataOf((await client.subscribe(orders, { filter, snapshot: true, maxRateHz: 20 })).items)).toEqual([1]);
    expect(dataOf((await client.subscribe(orders, { key: 'A', filter, snapshot: true })).items)).toEqual([1]);
    // The latest that matches, although a later one does not; both are in one period of the class.
    await Promise.all([publish(`${orders}.C`, 4, { status: 'open' }), publish(`${orders}.C`, 5, { status: 'done' })]);
    await client.next('batch', ({ topic, items }) => topic === orders && dataOf(items).includes(4));
    await publish(`${orders}.A`, 6, { status: 'done' });
    const seventh = await publish(`${orders}.A`, 7, { status: 'open' });
    expect(await client.next('batch', ({ key }) => key === 'A')).toMatchObject({
      items: [[seventh, 'A', 7, { tags: { status: 'open' } }]],
    });

    const base = newTopic();
    await client.subscribe(`${base}.*`, { filter });
    await publish(`${base}.x`, 8);
    const ninth = await publish(`${base}.y`, 9, { STATUS: 'open' });
    const meta = { topic: `${base}.y`, tags: { status: 'open' } };
    expect(await client.next('batch', ({ topic }) => topic === `${base}.*`)).toMatchObject({ items: [[ninth, null, 9, meta]] });

    const volatile = newTopic('live');
    await client.subscribe(volatile, { filter });
    for (const [data, tags] of [
      [1, {}],
      [2, filter],
    ] as const)
      await client.get('published', { type: 'publish', topic: volatile, data, tags });
    expect(await client.next('batch', ({ topic }) => topic === volatile)).toMatchObject({
      prev: 0,
      items: [[0, null, 2, { tags: filter }]],
    });
  });

  it('match tags that are set by any door, which are bounded everywhere', async () => {
    const topic = newTopic();
    const { client } = await pair.client(node(0), 'ann', 'msgpack');
    const tracker = client.track(topic);
    await client.subscribe(topic, { filter: { by: 'door' } });
    const tags = { by: 'door' };
    await client.get('published', { type: 'publish', topic, data: 1, tags });
    const token = await tokenOf({ sub: 'ann' });
    const post = (body: object) =>
      fetch(`http://127.0.0.1:${node(1).running.port}/publish`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
    expect((await post({ topic, data: 2, tags })).status).toBe(200);
    expect((await pair.post(node(1), '/api/publish', { topic, data: 3, tags })).status).toBe(200);
    await node(0).running.publish({ topic, data: 4, tags });
    const sdk = createClient({ url: node(1).url, token });
    const got: SdkItem[] = [];
    let begun = false;
    const onSubscribed = () => {
      begun = true;
    };
    sdk.topic(topic, { filter: { by: ['door'] }, onSubscribed }).subscribe((item) => got.push(item));
    await until('the SDK', () => begun);
    await sdk.publish(topic, 5, { tags });
    await client.until('all', () => tracker.items.length === 5);
    expect(tracker.items.map(({ data }) => data)).toEqual([1, 2, 3, 4, 5]);
    await until('the item', () => got.length > 0);
    expect(got.at(-1)).toMatchObject({ data: 5, tags });

    for (const bad of [
      { By: 'x' },
      { by: '' },
      { by: 'é' },
      { by: 'x'.repeat(65) },
      Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`t${n}`, 'x'])),
    ]) {
      expect(await client.ask({ type: 'publish', topic, data: 0, tags: bad })).toMatchObject({ code: 'bad_message' });
      expect((await post({ topic, data: 0, tags: bad })).status).toBe(400);
      expect((await pair.post(node(1), '/api/publish', { topic, data: 0, tags: bad })).status).toBe(400);
      await expect(node(0).running.publish({ topic, data: 0, tags: bad as Record<string, string> })).rejects.toMatchObject({
        code: 'bad_message',
      });
      await expect((async () => sdk.publish(topic, 0, { tags: bad as Record<string, string> }))()).rejects.toThrow('tags');
    }
    // On NATS nobody can refuse it: what is no tag is left out, and what is one too many.
    await publish(topic, 6, {
      ...Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`t${n}`, 'x'])),
      'dot.ted': 'x',
      BY: 'door',
      more: 'x',
    });
    await client.until('the next', () => tracker.items.length === 6);
    expect(Object.keys((tracker.items.at(-1)?.meta as { tags?: object } | undefined)?.tags ?? {}).sort()).toEqual([
      'by',
      't0',
      't1',
      't2',
      't3',
      't4',
      't5',
      't6',
    ]);
    await sdk.close();
  });

  it('give whole values where changes are asked for, because a change is one of the value before it', async () => {
    const topic = newTopic('values');
    const client = await node(0).connect();
    const filter = { side: 'home' };
    await client.subscribe(topic, { filter, delta: true });
    const value = (n: number) => ({ n, same: 'x'.repeat(100) });
    await publish(topic, value(1), filter);
    await publish(topic, value(2), { side: 'away' });
    const third = await publish(topic, value(3), filter);
    await client.next('batch', ({ items }) => items.some(([offset]) => offset === third));
    const items = client.messages.flatMap((message) => (message.type === 'batch' ? message.items : []));
    expect(items.map(([, , data, meta]) => [data, meta])).toEqual([1, 3].map((n) => [value(n), { tags: filter }]));
  });

  it('select of the history: after a position, the last ones, of a time, of one key, in parts, as a replay, and over HTTP', async () => {
    const topic = newTopic();
    const filter = { kind: ['rare'] };
    const text = 'x'.repeat(400);
    const offsets: number[] = [];
    for (let n = 0; n < 100; n++) offsets.push(await publish(topic, { n, text }, { kind: n % 10 === 3 ? 'rare' : 'usual' }));
    const client = await node(1).connect();
    const { epoch } = await client.subscribe(topic, { filter });
    /** All parts of the answer. */
    const read = async (question: object) => {
      const at = client.messages.length;
      client.send({ type: 'history', id: 77, topic, ...question });
      const last = await client.next('history', ({ id, continues }) => id === 77 && continues === undefined);
      const parts = client.messages.slice(at).filter((message) => message.type === 'history');
      return { ...last, items: parts.flatMap(({ items }) => items) };
    };
    const numbers = ({ items }: { readonly items: readonly Item[] }) => items.map(([, , data]) => (data as { n: number }).n);
    const since = { epoch, offset: 0 };
    const all = await read({ since, limit: 1000, filter });
    expect([numbers(all), all.complete, all.offset]).toEqual([[3, 13, 23, 33, 43, 53, 63, 73, 83, 93], true, offsets[99]]);
    // The bounds count what is read: the answer says how far it reaches.
    const some = await read({ since, limit: 12, filter });
    expect([numbers(some), some.more, some.offset]).toEqual([[3], true, offsets[11]]);
    expect(numbers(await read({ since: { epoch, offset: some.offset }, limit: 2, filter }))).toEqual([13]);
    expect(numbers(await read({ last: 8, filter }))).toEqual([93]);
    const none = await read({ last: 5, filter });
    expect([none.items, none.complete, none.offset]).toEqual([[], true, offsets[99]]);
    expect(numbers(await read({ fromMs: 0, limit: 20, filter }))).toEqual([3, 13]);
    expect(numbers(await read({ fromMs: 0, limit: 20, speed: 10, filter }))).toEqual([3, 13]);

    const keyed = newTopic('orders');
    for (const [key, kind] of [
      ['A', 'rare'],
      ['B', 'rare'],
      ['B', 'usual'],
    ])
      await publish(`${keyed}.${key}`, kind, { kind: kind as string });
    expect(dataOf((await read({ topic: keyed, since: { ...since, epoch: (await client.subscribe(keyed)).epoch }, filter })).items)).toEqual(
      ['rare'],
    );
    expect(dataOf((await read({ topic: keyed, key: 'B', last: 5, filter })).items)).toEqual(['rare']);

    const get = async (query: string) => {
      const response = await fetch(`http://127.0.0.1:${node(0).running.port}/history?topic=${topic}&${query}`);
      return { status: response.status, body: (await response.json()) as ServerMessage<'history'> & { error?: { code: string } } };
    };
    const page = await get(`last=20&filter=${encodeURIComponent(JSON.stringify(filter))}`);
    expect([page.status, numbers(page.body), page.body.items[0]?.[3]]).toEqual([200, [83, 93], { tags: { kind: 'rare' } }]);
    for (const bad of ['filter=x', 'filter=%7B%7D', 'filter=%7B%22A%22%3A1%7D'])
      expect([bad, (await get(bad)).body.error?.code]).toEqual([bad, 'bad_message']);
    expect((await get('fields=/a')).body.error?.code).toBe('unsupported');
    expect(await client.ask({ type: 'history', topic: newTopic('books'), last: 1, filter })).toMatchObject({ code: 'unsupported' });

    const sdk = createClient({ url: node(0).url });
    expect((await sdk.history<{ n: number }>(topic, { last: 20, filter })).items.map(({ data }) => data.n)).toEqual([83, 93]);
    await sdk.close();
  });

  it('are refused where they cannot be, and come over streams of events', async () => {
    const client = await node(0).connect();
    const ask = async (topic: string, more: object) => {
      const answer = (await client.ask({ type: 'subscribe', topic, ...more })) as ServerMessage<'error'>;
      return answer.type === 'error' ? answer.code : answer.type;
    };
    const filter = { a: 'b' };
    expect(await ask(newTopic('books'), { filter })).toBe('unsupported');
    expect(await ask(newTopic('values'), { filter })).toBe('subscribed');
    for (const bad of [
      {},
      { a: [] },
      { a: 1 },
      { A: 'b' },
      { a: '', b: 'c' },
      { a: 'b', b: 'b', c: 'b', d: 'b' },
      { a: Array.from({ length: 21 }, String) },
      'a',
    ]) {
      expect([bad, await ask(newTopic(), { filter: bad })]).toEqual([bad, 'bad_message']);
    }
    const topic = newTopic();
    const stream = new EventClient(node(0).running.port, `/sse?topic=${topic}&filter=${encodeURIComponent(JSON.stringify(filter))}`);
    await stream.next('subscribed');
    await publish(topic, 1);
    await publish(topic, 2, filter);
    await stream.next('batch');
    expect(stream.items(topic)).toMatchObject([[expect.any(Number), null, 2, { tags: filter }]]);
    stream.socket.destroy();
    const refused = new EventClient(node(0).running.port, `/sse?topic=${topic}&filter=x`);
    await refused.closed;
    expect(refused.status).toBe(400);
  });
});
