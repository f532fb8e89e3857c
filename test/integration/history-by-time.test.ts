import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/index.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import type { TestNode } from '../support/node.ts';
import { NodePair } from '../support/node-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const history = { maxCount: 100_000 };
const NAMESPACES = {
  scores: { public: true, history },
  ticks: { public: true, state: 'keyed', history },
  short: { public: true, history: { maxCount: 3 } },
  live: { public: true, durable: false },
};
const ENCODINGS = ['json', 'msgpack'] as const;
type History = ServerMessage<'history'>;

const numbersOf = (items: History['items']) => items.map(([, , data]) => (data as { n: number }).n);
const timeOf = (item: History['items'][number] | undefined) =>
  (item?.[3] as { publishedAtMs?: number } | undefined)?.publishedAtMs ?? Number.NaN;

describe('history by time', () => {
  let pair: NodePair;
  let one: TestNode;
  let two: TestNode;
  let topics = 0;
  const newTopic = (namespace = 'scores') => `${namespace}.t${topics++}`;

  beforeAll(async () => {
    pair = await NodePair.start({ namespaces: NAMESPACES });
    ({ one, two } = pair);
  });
  afterAll(() => pair?.stop());

  const ask = (client: TestClient, topic: string, more: object) =>
    client.get('history', { type: 'history', topic, limit: 10_000, ...more });

  /** Publishes the numbers in groups. @returns the time of the first of each, which is after those of the groups before it */
  async function publishGroups(client: TestClient, topic: string, groups: readonly (readonly number[])[], key?: (n: number) => string) {
    const times: number[] = [];
    for (const group of groups) {
      const beforeMs =
        times.length === 0 ? 0 : timeOf((await client.get('history', { type: 'history', topic, last: 1, timestamps: true })).items[0]);
      await until('the clock to go on', () => Date.now() > beforeMs + 1);
      for (const [index, n] of group.entries()) {
        await one.publish(topic, { n, pad: 'x'.repeat(200) }, key === undefined ? {} : { key: key(n) });
        if (index > 0) continue;
        times.push(timeOf((await client.get('history', { type: 'history', topic, last: 1, timestamps: true })).items[0]));
      }
    }
    return times;
  }

  it.each(ENCODINGS)('gives what was published from a time on and before another one, on any node, in %s', async (encoding) => {
    const topic = newTopic();
    const client = await two.connect({ encoding });
    const [first, second, third] = (await publishGroups(client, topic, [
      [1, 2],
      [3, 4],
      [5, 6],
    ])) as [number, number, number];
    const between = async (more: object) => {
      const { items, complete, more: isMore } = await ask(client, topic, more);
      return { numbers: numbersOf(items), complete, more: isMore };
    };
    const all = { complete: true, more: false };
    for (let open = 0; open < 2; open++) {
      expect(await between({ fromMs: second, toMs: third })).toEqual({ numbers: [3, 4], ...all });
      expect(await between({ fromMs: second })).toEqual({ numbers: [3, 4, 5, 6], ...all });
      expect(await between({ fromMs: 0, toMs: second })).toEqual({ numbers: [1, 2], ...all });
      expect(await between({ fromMs: first - 1, toMs: first })).toEqual({ numbers: [], ...all });
      expect(await between({ fromMs: third + 3_600_000 })).toEqual({ numbers: [], ...all });
      expect(await between({ fromMs: 8.64e15 - 1, toMs: 8.64e15 })).toEqual({ numbers: [], ...all });
      // The same where the node has the topic open.
      await client.subscribe(topic);
    }
  });

  it('goes on from a position of it, up to the same time', async () => {
    const topic = newTopic();
    const client = await two.connect({ encoding: 'json' });
    const [, second, third] = (await publishGroups(client, topic, [[1], [2, 3, 4], [5]])) as [number, number, number];
    const start = await ask(client, topic, { fromMs: second, toMs: third, limit: 2 });
    expect([numbersOf(start.items), start.more, start.complete]).toEqual([[2, 3], true, true]);
    const { epoch, offset } = start;
    const rest = await ask(client, topic, { since: { epoch, offset }, toMs: third });
    expect([numbersOf(rest.items), rest.more, rest.complete]).toEqual([[4], false, true]);
    const gone = await ask(client, topic, { since: { epoch: 'another', offset }, toMs: third });
    expect([gone.items, gone.complete]).toEqual([[], false]);
  });

  it('comes in parts of the usual frame size, and reads the log a few times only', async () => {
    const topic = newTopic();
    const client = await two.connect({ encoding: 'msgpack', socket: { maxPayload: 16 * 1024 } });
    const numbers = Array.from({ length: 1500 }, (_, n) => n + 1);
    const [, second, third] = (await publishGroups(client, topic, [[0], numbers, [9999]])) as [number, number, number];
    const reads = () => two.metric('stentor_log_reads_total', { kind: 'history' });
    const before = await reads();
    const answer = await ask(client, topic, { fromMs: second, toMs: third });
    expect([numbersOf(answer.items), answer.complete, answer.more]).toEqual([numbers, true, false]);
    expect((await reads()) - before).toBeLessThan(4);
    expect(client.messages.filter(({ type }) => type === 'history').length).toBeGreaterThan(10);
  });

  it('has every publication of a keyed topic, not the latest of each key, and those of one key', async () => {
    const topic = newTopic('ticks');
    const client = await two.connect({ encoding: 'json' });
    const keyOf = (n: number) => (n % 2 === 0 ? 'even' : 'odd');
    const [, second, third] = (await publishGroups(client, topic, [[1, 2], [3, 4, 5, 6, 7], [8]], keyOf)) as [number, number, number];
    expect(numbersOf((await ask(client, topic, { fromMs: second, toMs: third })).items)).toEqual([3, 4, 5, 6, 7]);
    expect(numbersOf((await ask(client, topic, { fromMs: second, toMs: third, key: 'odd' })).items)).toEqual([3, 5, 7]);
  });

  it('says that something may be missing where it was removed', async () => {
    const topic = newTopic('short');
    const client = await two.connect({ encoding: 'json' });
    const [first, , third] = (await publishGroups(client, topic, [[1], [2, 3], [4, 5]])) as [number, number, number];
    const removed = await ask(client, topic, { fromMs: first });
    expect([numbersOf(removed.items), removed.complete, removed.more]).toEqual([[3, 4, 5], false, false]);
    const { epoch, offset } = await ask(client, topic, { fromMs: 0, toMs: third });
    const kept = await ask(client, topic, { since: { epoch, offset }, toMs: third + 3_600_000 });
    expect(numbersOf(kept.items)).toEqual([4, 5]);
  });

  it.each([
    ['an end before the beginning', { fromMs: 5, toMs: 4 }],
    ['no time in between', { fromMs: 5, toMs: 5 }],
    ['an end without a beginning', { toMs: 5 }],
    ['two beginnings', { fromMs: 5, since: { epoch: 'a', offset: 1 } }],
    ['the last ones of it', { fromMs: 5, last: 1 }],
    ['a time before 1970', { fromMs: -1 }],
    ['a part of a millisecond', { fromMs: 1.5 }],
    ['a time after the last one', { fromMs: 8.64e15 + 1 }],
  ])('refuses %s with bad_message', async (_, range) => {
    const client = await one.connect({ encoding: 'json' });
    expect(await client.ask({ type: 'history', topic: newTopic(), ...range })).toMatchObject({ type: 'error', code: 'bad_message' });
  });

  it('answers GET /history too', async () => {
    const topic = newTopic();
    const client = await two.connect({ encoding: 'json' });
    const [, second, third] = (await publishGroups(client, topic, [[1], [2, 3], [4]])) as [number, number, number];
    const request = async (query: string) => {
      const answer = await fetch(`http://127.0.0.1:${two.running.port}/history?topic=${topic}&${query}`);
      // biome-ignore lint/suspicious/noExplicitAny: whatever the path answers
      return { status: answer.status, body: (await answer.json()) as any };
    };
    const { body } = await request(`fromMs=${second}&toMs=${third}`);
    expect([numbersOf(body.items), body.complete, body.more]).toEqual([[2, 3], true, false]);
    const start = (await request(`fromMs=${second}&limit=1`)).body;
    expect([numbersOf(start.items), start.more]).toEqual([[2], true]);
    const rest = (await request(`epoch=${start.epoch}&offset=${start.offset}&toMs=${third}`)).body;
    expect([numbersOf(rest.items), rest.more]).toEqual([[3], false]);
    for (const query of ['fromMs=5&toMs=5', 'toMs=5', 'fromMs=5&last=1', 'fromMs=soon', 'fromMs=5&epoch=a&offset=1'])
      expect(await request(query)).toMatchObject({ status: 400, body: { error: { code: 'bad_message' } } });
  });

  describe('a replay', () => {
    /** Numbers at about 0, 200 and 600 ms. */
    async function publishApart(client: TestClient): Promise<{ topic: string; fromMs: number; apartMs: readonly number[] }> {
      const topic = newTopic();
      const timesOf = async () => (await ask(client, topic, { last: 100, timestamps: true })).items.map(timeOf);
      await one.publish(topic, { n: 1 });
      for (const [n, afterMs] of [
        [2, 200],
        [3, 600],
      ] as const) {
        const [first = 0] = await timesOf();
        await until('the time of the next one', () => Date.now() >= first + afterMs);
        await one.publish(topic, { n });
      }
      const times = await timesOf();
      const [fromMs = 0] = times;
      return { topic, fromMs, apartMs: times.map((time) => time - fromMs) };
    }

    it.each(ENCODINGS)('sends each item when it is due, so many times faster, in %s', async (encoding) => {
      const client = await two.connect({ encoding });
      const { topic, fromMs, apartMs } = await publishApart(client);
      for (const speed of [2, 10]) {
        const startMs = performance.now();
        const came: [number, number][] = [];
        const seen = client.messages.length;
        client.send({ type: 'history', id: 70 + speed, topic, fromMs, speed });
        const parts = () => client.messages.slice(seen).filter((message): message is History => message.type === 'history');
        await client.until('the end', () => {
          for (const n of numbersOf(parts().flatMap(({ items }) => items)).slice(came.length)) came.push([n, performance.now() - startMs]);
          return parts().at(-1)?.continues === undefined && parts().length > 0;
        });
        expect(came.map(([n]) => n)).toEqual([1, 2, 3]);
        // Never earlier; how much later is the machine's matter.
        for (const [index, [, atMs]] of came.entries()) expect(atMs).toBeGreaterThan((apartMs[index] ?? 0) / speed - 25);
        expect(parts().at(-1)).toMatchObject({ complete: true, more: false });
        expect(parts().length).toBeGreaterThanOrEqual(2);
      }
    });

    it('holds up no other answer of its connection, and ends with the connection', async () => {
      const client = await two.connect({ encoding: 'json' });
      const { topic, fromMs } = await publishApart(client);
      client.send({ type: 'history', id: 80, topic, fromMs, speed: 0.1 });
      await client.next('history', ({ id }) => id === 80);
      expect(numbersOf((await ask(client, topic, { last: 3 })).items)).toEqual([1, 2, 3]);
      await client.close();
      const another = await two.connect({ encoding: 'json' });
      await until('room for as many as a connection may have', async () => {
        const answer = await another.ask({ type: 'history', topic, fromMs, toMs: fromMs + 1, speed: 10 });
        return answer.type === 'history';
      });
    });

    it('is refused where too many run, and without a time', async () => {
      const client = await one.connect({ encoding: 'json' });
      const { topic, fromMs } = await publishApart(client);
      for (let n = 0; n < 4; n++) {
        client.send({ type: 'history', id: 90 + n, topic, fromMs, speed: 0.1 });
        await client.next('history', ({ id }) => id === 90 + n);
      }
      const busy = await client.ask({ type: 'history', topic, fromMs, speed: 10 });
      expect(busy).toMatchObject({ type: 'error', code: 'busy', retryAfterMs: expect.any(Number) });
      expect(await client.ask({ type: 'history', topic, last: 1, speed: 2 })).toMatchObject({ code: 'bad_message' });
      expect(await client.ask({ type: 'history', topic, fromMs, speed: 11 })).toMatchObject({ code: 'bad_message' });
    });

    it('of the SDK gives each item to the callback', async () => {
      const writer = await two.connect({ encoding: 'json' });
      const { topic, fromMs } = await publishApart(writer);
      const client = createClient({ url: two.url });
      const got: unknown[] = [];
      const end = await client.history(topic, { fromMs, speed: 10, onItem: ({ data }) => got.push(data) });
      expect([got, end.items, end.complete]).toEqual([[{ n: 1 }, { n: 2 }, { n: 3 }], [], true]);
      await client.close();
    });
  });

  describe('a subscription from a time on', () => {
    it.each(ENCODINGS)('starts with everything since then, and goes on without a gap, in %s', async (encoding) => {
      const topic = newTopic();
      const client = await two.connect({ encoding });
      const [, second] = (await publishGroups(client, topic, [
        [1, 2],
        [3, 4],
      ])) as [number, number];
      for (let open = 0; open < 2; open++) {
        const answer = await client.subscribe(topic, { sinceMs: second });
        expect([answer.recovered, numbersOf(answer.items)]).toEqual([true, [3, 4]]);
        // Then as a member: it goes back to that time.
      }
      const { offset } = await one.publish(topic, { n: 5 });
      const batch = await client.next('batch');
      expect([batch.prev, batch.items.map(([at]) => at)]).toEqual([offset - 1, [offset]]);
      const late = await client.subscribe(topic, { sinceMs: Date.now() + 3_600_000 });
      expect([late.recovered, late.items]).toEqual([true, []]);
    });

    it('starts with the state where what was published since then has been removed', async () => {
      const topic = newTopic('short');
      const client = await two.connect({ encoding: 'json' });
      const [first] = (await publishGroups(client, topic, [[1], [2, 3, 4, 5]])) as [number, number];
      const answer = await client.subscribe(topic, { sinceMs: first });
      expect([answer.recovered, numbersOf(answer.items)]).toEqual([false, [5]]);
    });

    it('is refused with a position besides it, and of an ephemeral topic', async () => {
      const client = await one.connect({ encoding: 'json' });
      const subscribe = (topic: string, more: object) => client.ask({ type: 'subscribe', topic, sinceMs: 5, ...more });
      expect(await subscribe(newTopic(), { since: { epoch: 'a', offset: 1 } })).toMatchObject({ code: 'bad_message' });
      expect(await subscribe(newTopic('live'), {})).toMatchObject({ code: 'unsupported' });
    });

    it('ends where it is unsubscribed before it has begun', async () => {
      const topic = newTopic();
      const client = await one.connect({ encoding: 'json' });
      client.send({ type: 'subscribe', id: 900, topic, sinceMs: 5 });
      client.send({ type: 'unsubscribe', id: 901, topic });
      expect(await client.next('error', ({ id }) => id === 900)).toMatchObject({ code: 'not_subscribed' });
      await one.publish(topic, { n: 1 });
      expect(await client.subscribe(topic)).toMatchObject({ recovered: false });
    });

    it('works for a stream of events too', async () => {
      const topic = newTopic();
      const client = await two.connect({ encoding: 'json' });
      const [, second] = (await publishGroups(client, topic, [
        [1, 2],
        [3, 4],
      ])) as [number, number];
      const open = async (query: string) => {
        const controller = new AbortController();
        const url = `http://127.0.0.1:${two.running.port}/sse?topic=${topic}&${query}`;
        const answer = await fetch(url, { signal: controller.signal });
        let text = '';
        for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
          text += Buffer.from(chunk).toString();
          if (!answer.ok || /^data: .*"type":"subscribed".*\n/m.test(text)) break;
        }
        controller.abort();
        return { status: answer.status, text };
      };
      const { text } = await open(`sinceMs=${second}`);
      const subscribed = JSON.parse(/^data: (.*"type":"subscribed".*)$/m.exec(text)?.[1] ?? '');
      expect([subscribed.recovered, numbersOf(subscribed.items)]).toEqual([true, [3, 4]]);
      expect((await open('sinceMs=soon')).status).toBe(400);
    });

    it('of the SDK goes on from its position when it comes back', async () => {
      const topic = newTopic();
      const writer = await two.connect({ encoding: 'json' });
      const [, second] = (await publishGroups(writer, topic, [
        [1, 2],
        [3, 4],
      ])) as [number, number];
      const sockets: WebSocket[] = [];
      class Kept extends WebSocket {
        constructor(url: string, protocols?: string | string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      }
      const client = createClient({ url: two.url, backoff: { baseMs: 1, maxMs: 1, jitterMs: 1 }, WebSocket: Kept as never });
      const got: [number, string][] = [];
      const begun: boolean[] = [];
      client
        .topic<{ n: number }>(topic, { sinceMs: second, onSubscribed: ({ recovered }) => begun.push(recovered) })
        .subscribe(({ data, source }) => got.push([data.n, source]));
      await until('the first items', () => got.length === 2);
      sockets.at(-1)?.terminate();
      await one.publish(topic, { n: 5 });
      await until('the next one', () => got.length === 3 && begun.length === 2);
      expect(got.map(([n]) => n)).toEqual([3, 4, 5]);
      expect(got.slice(0, 2).map(([, source]) => source)).toEqual(['recovered', 'recovered']);
      expect(begun).toEqual([true, true]);
      const { items, complete } = await client.history<{ n: number }>(topic, { fromMs: second });
      expect([items.map(({ data }) => data.n), complete]).toEqual([[3, 4, 5], true]);
      await client.close();
    });
  });
});
