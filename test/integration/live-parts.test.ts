import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deltaOptions, documentOptions } from '../../src/client/document.ts';
import { createClient } from '../../src/client/index.ts';
import { DocumentFollower } from '../support/document-follower.ts';
import { EventClient } from '../support/event-client.ts';
import { TestNode } from '../support/node.ts';
import { partsOf } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const FRAME_BYTES_MAX = 16 * 1024;
const ENCODINGS = ['json', 'msgpack'] as const;
/** So many that they are published to natively. */
const MEMBERS = 20;
const TEXT = '"ü'.repeat(20_000);

/** A document of 60 to 100 KB, another one for each number. */
const image = (n: number) => ({ n, [`m${n % 2}`]: TEXT, list: [n] });

describe('a publication that is larger than a frame, for those who follow its topic already,', () => {
  let node: TestNode;
  let topics = 0;
  const newTopic = (namespace = 'books') => `${namespace}.t${topics++}`;

  beforeAll(async () => {
    const large = { public: true, maxPayloadBytes: 200_000 };
    const replay = { ...large, slowConsumer: 'replay', history: { maxCount: 10_000 } };
    node = await TestNode.start({
      namespaces: {
        books: { ...large, state: 'document', slowConsumer: 'conflate' },
        replayed: { ...replay, state: 'document' },
        values: { ...replay, delta: 'fields' },
        live: { ...large, durable: false },
      },
      'tuning.hub.topicLingerMs': 0,
      // Clients that are paused on purpose answer no pings.
      'heartbeat.pingIntervalMs': 600_000,
    });
  });
  afterAll(() => node?.stop());

  /** Its connection ends with a frame that is larger than usual. */
  async function follow(topic: string, encoding: (typeof ENCODINGS)[number], options: object = {}) {
    const client = await node.connect({ encoding, socket: { maxPayload: FRAME_BYTES_MAX } });
    await client.get('subscribed', { type: 'subscribe', topic, parts: true, ...options });
    const follower = new DocumentFollower(topic);
    const reach = (offset: number) => client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
    return { client, follower, reach };
  }

  it('comes to a room in parts of the usual size, in its place among the others, in both encodings', async () => {
    const topic = newTopic();
    const members = await Promise.all(Array.from({ length: MEMBERS * 2 }, (_, n) => follow(topic, n % 2 === 0 ? 'json' : 'msgpack')));
    const whole = await node.connect({ encoding: 'json' });
    await whole.subscribe(topic);
    let last = 0;
    for (let n = 0; n < 4; n++) {
      await node.publish(topic, { before: n });
      await node.publish(topic, image(n), { image: n % 2 === 0 });
      last = (await node.publish(topic, { after: n })).offset;
    }
    for (const { client, follower, reach } of members) {
      await reach(last);
      expect(follower).toMatchObject({ gaps: 0, document: { ...image(2), ...image(3), before: 3, after: 3 } });
      expect(partsOf(client).length).toBeGreaterThan(3);
    }
    // In the order of the offsets: who does not ask for parts gets the same without them.
    await whole.until('the last change', () =>
      whole.messages.some((message) => message.type === 'batch' && message.items.at(-1)?.[0] === last),
    );
    expect(partsOf(whole)).toEqual([]);
    expect(new DocumentFollower(topic).take(whole).document).toEqual(members[0]?.follower.document);
  });

  it.each(ENCODINGS)('comes in parts to a rate class, and once more with what came before it, in %s', async (encoding) => {
    const topic = newTopic();
    const { follower, reach, client } = await follow(topic, encoding, { maxRateHz: 5 });
    for (let n = 0; n < 8; n++) await node.publish(topic, image(n), { image: n % 3 === 0 });
    const { offset } = await node.publish(topic, { last: true });
    await reach(offset);
    expect(follower).toMatchObject({ gaps: 0, document: { ...image(6), ...image(7), last: true } });
    expect(partsOf(client).length).toBeGreaterThan(2);
  });

  it.each(ENCODINGS)('is gotten whole by a client that was cut in the middle of it, in %s', async (encoding) => {
    const topic = newTopic('replayed');
    await node.publish(topic, { n: -1 }, { image: true });
    const { client, follower } = await follow(topic, encoding);
    const before = follower.take(client).offset;
    const image0 = await node.publish(topic, image(0), { image: true });
    await client.next('part', ({ part }) => part === 2);
    await client.close();
    const upToCut = client.messages.slice(0, client.messages.findIndex((message) => message.type === 'part' && message.part === 2) + 1);
    follower.take({ messages: upToCut });
    expect(follower).toMatchObject({ offset: before, document: { n: -1 } });

    const change = await node.publish(topic, { after: 1 });
    const since = { epoch: follower.epoch, offset: follower.offset };
    const back = await node.connect({ encoding, socket: { maxPayload: FRAME_BYTES_MAX } });
    follower.reconnected();
    expect(await back.get('subscribed', { type: 'subscribe', topic, parts: true, since })).toMatchObject({ recovered: true });
    await back.until('the change', () => follower.take(back).offset >= change.offset);
    expect(follower).toMatchObject({ gaps: 0, document: { ...image(0), after: 1 } });
    expect(image0.offset).toBeGreaterThan(before);
  });

  it.each([
    ['books', 'json'],
    ['books', 'msgpack'],
    ['replayed', 'json'],
    ['replayed', 'msgpack'],
  ] as const)('comes right to a client that was too slow for it, of %s, in %s', async (namespace, encoding) => {
    const topic = newTopic(namespace);
    const { client, follower, reach } = await follow(topic, encoding);
    const lagged = () => node.metric('stentor_connections_lagged_total');
    const before = await lagged();
    const isSlow = async () => (await lagged()) > before || (await node.metric('stentor_subscriptions_starting')) > 0;
    client.pause();
    let n = 0;
    // The kernel keeps some megabytes.
    for (let slow = 0; slow < 2; slow += (await isSlow()) ? 1 : 0) {
      for (let more = 0; more < 5; more++) await node.publish(topic, image(n++), { image: true });
    }
    await node.publish(topic, image(n++), { image: true });
    const { offset } = await node.publish(topic, { last: true });
    client.resume();
    await reach(offset);
    expect(follower).toMatchObject({ gaps: 0, wrong: 0, document: { ...image(n - 1), last: true } });
    expect(follower.joined).toBeGreaterThan(1);
  });

  it('is put together by the SDK, and comes whole to topics of its connection that do not ask for parts', async () => {
    const [book, value, plain, live] = [newTopic(), newTopic('values'), newTopic('values'), newTopic('live')];
    const client = createClient({ url: node.url });
    let begun = 0;
    const onSubscribed = () => void begun++;
    const books = client.topic(book, documentOptions({ onSubscribed }));
    const others = [
      client.topic(value, deltaOptions({ onSubscribed })),
      client.topic(plain, { onSubscribed }),
      client.topic(live, { onSubscribed }),
    ];
    const got: Record<string, unknown[]> = { [book]: [], [value]: [], [plain]: [], [live]: [] };
    for (const topic of [books, ...others]) topic.subscribe(({ data }) => got[topic.name]?.push(data));
    await until('the subscriptions', () => begun === 4);
    for (const topic of [book, value, plain, live]) {
      await node.publish(topic, image(0), topic === book ? { image: true } : {});
      await node.publish(topic, { ...image(0), list: [] });
      await until(`all of ${topic}`, () => got[topic]?.length === 2);
    }
    expect(books.document).toEqual({ ...image(0), list: [] });
    for (const topic of [book, value, plain, live]) expect(got[topic]).toEqual([image(0), { ...image(0), list: [] }]);
    await client.close();
  });

  it('is one event of a stream of events, and comes again where the stream is cut within it', async () => {
    const topic = newTopic('replayed');
    await node.publish(topic, { n: -1 }, { image: true });
    const open = (lastEventId?: string) =>
      new EventClient(node.running.port, `/sse?topic=${topic}&snapshot=true`, lastEventId === undefined ? {} : { lastEventId });
    const stream = open();
    await stream.next('subscribed');
    const first = await node.publish(topic, image(0), { image: true });
    await stream.next('batch');
    expect(stream.ofType('part')).toEqual([]);
    const beforeIt = stream.ofType('subscribed')[0]?.id as string;
    stream.socket.destroy();
    await stream.closed;
    // It has not had the event.
    const back = open(beforeIt);
    const follower = new DocumentFollower(topic);
    const { offset } = await node.publish(topic, { last: true });
    await until('the change', () => follower.take(back).offset >= offset);
    expect(follower.document).toEqual({ ...image(0), last: true });
    expect(first.offset).toBeLessThan(offset);
    back.socket.destroy();
  });
});
