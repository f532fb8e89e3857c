import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.ts';
import { post } from '../support/http.ts';
import { NodePair } from '../support/node-pair.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const NAMESPACES = {
  exact: { public: true, clientPublish: true, numbers: 'text' },
  keyed: { public: true, state: 'keyed', numbers: 'text' },
  books: { public: true, state: 'document', numbers: 'text' },
  plain: { public: true, clientPublish: true },
};
const PAYLOAD = '{"price":0.10,"size":1.5,"id":8389765929445198309,"many":0.1234567890123456789,"n":7,"huge":1e400,"text":"1.0"}';
const TEXTS = { price: '0.10', size: 1.5, id: '8389765929445198309', many: '0.1234567890123456789', n: 7, huge: '1e400', text: '1.0' };

describe('a namespace with numbers: text', () => {
  let pair: NodePair;
  beforeAll(async () => {
    pair = await NodePair.start({ namespaces: NAMESPACES });
  });
  afterAll(() => pair?.stop());

  const publish = (subject: string, payload: string) => jetstream(pair.program).publish(subject, payload);

  describe.each(['msgpack', 'json'] as const)('in %s', (encoding) => {
    it.each([
      ['exact', ''],
      ['keyed', '.A'],
      ['books', ''],
    ])('gives what a producer wrote: live, in the state and in the history (%s)', async (namespace, key) => {
      const topic = `${namespace}.${encoding}`;
      const { client } = await pair.client(pair.two, 'ann', encoding);
      const tracker = client.track(topic);
      await client.subscribe(topic);
      await publish(`feed.${topic}${key}`, PAYLOAD);
      await client.until('it', () => tracker.items.length === 1);
      expect(tracker.items[0]?.data).toEqual(TEXTS);
      const { client: late } = await pair.client(pair.one, 'bob', encoding);
      const { items } = await late.subscribe(topic, { snapshot: true });
      expect(items[0]?.[2]).toEqual(TEXTS);
      const history = await late.get('history', { type: 'history', topic, last: 1 });
      expect(history.items[0]?.[2]).toEqual(TEXTS);
    });

    it('gives doubles, and integers exactly, without the option', async () => {
      const topic = `plain.${encoding}`;
      const { client } = await pair.client(pair.two, 'ann', encoding);
      const tracker = client.track(topic);
      await client.subscribe(topic);
      await publish(`feed.${topic}`, PAYLOAD);
      await client.until('it', () => tracker.items.length === 1);
      const id = encoding === 'msgpack' ? 8389765929445198309n : '8389765929445198309';
      expect(tracker.items[0]?.data).toEqual({ ...TEXTS, price: 0.1, id, many: 0.12345678901234568 });
    });
  });

  describe('beyond the range of doubles, whatever the door,', () => {
    const DATA = '{"a":1e400,"b":[-2.5E+400],"c":1e308,"d":8389765929445198309}';
    const DOORS: Readonly<Record<string, (topic: string) => Promise<unknown>>> = {
      NATS: (topic) => publish(`feed.${topic}`, DATA),
      'the WebSocket command': async (topic) => {
        const { client } = await pair.client(pair.one, 'bob', 'json');
        client.sendBytes(`{"type":"publish","id":1,"topic":"${topic}","data":${DATA}}`);
        await client.next('published');
      },
      '`POST /publish` of a client': async (topic) => {
        const { status } = await post(pair.one, `{"topic":"${topic}","data":${DATA}}`, { token: await tokenOf() });
        expect(status).toBe(200);
      },
      'the HTTP API': async (topic) => {
        const answer = await pair.postText(pair.one, '/api/publish', `{"topic":"${topic}","data":${DATA}}`);
        expect(answer.status).toBe(200);
      },
      'stentor publish': async (topic) => {
        const { code } = await runCli(['publish', topic, DATA, '--nats-url', pair.nats.url, '--set', 'namespaces.plain.public=true']);
        expect(code).toBe(0);
      },
    };

    it.each(Object.keys(DOORS))('%s: text as it was written, in both encodings', async (door) => {
      const topic = `plain.door${Object.keys(DOORS).indexOf(door)}`;
      const { client: json } = await pair.client(pair.two, 'ann', 'json');
      const { client: msgpack } = await pair.client(pair.two, 'ann', 'msgpack');
      const trackers = [json.track(topic), msgpack.track(topic)];
      for (const client of [json, msgpack]) await client.subscribe(topic);
      await DOORS[door]?.(topic);
      await until('both to have it', () => trackers.every(({ items }) => items.length === 1));
      const texts = { a: '1e400', b: ['-2.5E+400'], c: 1e308 };
      expect(trackers.map(({ items }) => items[0]?.data)).toEqual([
        { ...texts, d: '8389765929445198309' },
        { ...texts, d: 8389765929445198309n },
      ]);
    });

    it('`stentor send`: the same', async () => {
      const { client, connectionId } = await pair.client(pair.two, 'ann', 'msgpack');
      await runCli(['send', DATA, '--connection', connectionId, ...pair.apiOptions(pair.one)]);
      expect((await client.next('message')).data).toEqual({ a: '1e400', b: ['-2.5E+400'], c: 1e308, d: 8389765929445198309n });
    });

    it('a field of the protocol is refused', async () => {
      const { client } = await pair.client(pair.one, 'bob', 'json');
      client.sendBytes('{"type":"subscribe","id":1,"topic":"plain.a","maxRateHz":1e400}');
      expect(await client.next('error')).toMatchObject({ id: 1, code: 'bad_message' });
    });
  });

  it('gives the integers of a client as text too', async () => {
    const { client } = await pair.client(pair.one, 'ann', 'msgpack');
    const tracker = client.track('exact.client');
    await client.subscribe('exact.client');
    await client.get('published', { type: 'publish', topic: 'exact.client', data: { id: 8389765929445198309n, price: 0.1 } });
    await client.until('it', () => tracker.items.length === 1);
    expect(tracker.items[0]?.data).toEqual({ id: '8389765929445198309', price: 0.1 });
  });
});
