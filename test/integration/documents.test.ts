import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergePatch } from '../support/document-fixtures.ts';
import { DocumentFollower } from '../support/document-follower.ts';
import { TestNode } from '../support/node.ts';
import { BookGenerator, isRight } from '../support/order-book.ts';
import type { TestClient } from '../support/test-client.ts';
import { sign } from '../support/tokens.ts';

const NAMESPACES = {
  books: { public: true, clientPublish: true, state: 'document', slowConsumer: 'conflate', maxPayloadBytes: 60_000 },
  small: { public: true, clientPublish: true, state: 'document', documentBytesMax: 64, documentDepthMax: 3, documentFieldsMax: 5 },
  short: { public: true, state: 'document', history: { maxCount: 5 } },
  plain: { public: true, clientPublish: true },
};

function tokenFor(image: readonly string[]): Promise<string> {
  return sign({ sub: 'ann', exp: Date.now() / 1000 + 600, stentor: { publish: ['>'], subscribe: ['>'], image } });
}

describe('a document topic', () => {
  let node: TestNode;
  let publisher: TestClient;
  let topics = 0;
  const newTopic = (namespace = 'books') => `${namespace}.t${topics++}`;
  const publish = (topic: string, data: unknown, image = false) =>
    node.publish(topic, data === undefined ? new Uint8Array() : data, { image });

  beforeAll(async () => {
    node = await TestNode.start({ namespaces: NAMESPACES });
    publisher = await node.connect({ encoding: 'msgpack', token: await tokenFor(['books.*', 'small.*']) });
  });
  afterAll(() => node?.stop());

  async function follow(topic: string, options: object = {}, encoding: 'json' | 'msgpack' = 'json') {
    const client = await node.connect({ encoding });
    const answer = await client.get('subscribed', { type: 'subscribe', topic, ...options });
    const follower = new DocumentFollower(topic);
    const until = async (offset: number) => {
      await client.until(`offset ${offset}`, () => follower.take(client).offset >= offset);
      return follower.document;
    };
    return { client, answer, follower, until };
  }

  it.each(['json', 'msgpack'] as const)('begins with the document, and goes on with its patches, in %s', async (encoding) => {
    const topic = newTopic();
    await publish(topic, { bids: { '1.10': '5' }, status: 'open' }, true);
    await publish(topic, { bids: { '1.10': null, '1.20': '7' } });
    const { answer, client, until } = await follow(topic, {}, encoding);
    expect(answer.items).toEqual([[expect.any(Number), null, { bids: { '1.20': '7' }, status: 'open' }]]);
    const { offset } = await publish(topic, { status: { phase: 'auction' } });
    expect(await until(offset)).toEqual({ bids: { '1.20': '7' }, status: { phase: 'auction' } });
    const batch = await client.next('batch');
    expect(batch.items).toEqual([[offset, null, { status: { phase: 'auction' } }, { patch: true }]]);
  });

  it('is set as a whole by an image, and by a patch whose root is no map', async () => {
    const topic = newTopic();
    const { until } = await follow(topic);
    await publish(topic, { a: 1, b: { c: 1 } });
    const image = await publish(topic, { b: null }, true);
    expect(await until(image.offset)).toEqual({ b: null });
    const list = await publish(topic, [1, null]);
    expect(await until(list.offset)).toEqual([1, null]);
    const patch = await publish(topic, { a: { b: null } });
    expect(await until(patch.offset)).toEqual({ a: {} });
  });

  it.each([
    ['no payload', undefined],
    ['null', null],
  ])('is removed by %s', async (_, nothing) => {
    const topic = newTopic();
    const { until, client } = await follow(topic);
    await publish(topic, { a: 1 });
    const { offset } = await publish(topic, nothing);
    expect(await until(offset)).toBeUndefined();
    expect((await client.next('batch', ({ items }) => items.at(-1)?.[0] === offset)).items.at(-1)).toEqual([
      offset,
      null,
      null,
      { removed: true },
    ]);
    expect((await follow(topic)).answer.items).toEqual([]);
    const again = await publish(topic, { b: { c: null } });
    expect(await until(again.offset)).toEqual({ b: {} });
  });

  it('gives who returns the changes as one, or the document', async () => {
    const topic = newTopic();
    const first = await publish(topic, { a: { x: 1 }, n: 0, pad: 'x'.repeat(2000) }, true);
    const { client } = await follow(topic);
    await publish(topic, { a: null });
    await publish(topic, { a: { y: 1 } });
    for (let n = 1; n < 300; n++) await publish(topic, { n });
    const { offset, epoch } = await publish(topic, { n: 300 });
    const back = await follow(topic, { since: { epoch, offset: first.offset } });
    expect(back.answer).toMatchObject({ recovered: true, offset });
    expect(back.answer.items[0]?.[3]).toMatchObject({ patch: true, first: { a: null } });
    expect(back.answer.items.length).toBeLessThan(100);
    const mine = back.answer.items.reduce<unknown>(
      (document, [, , data, meta]) => mergePatch(meta?.first === undefined ? document : mergePatch(document, meta.first), data),
      { a: { x: 1 }, n: 0, pad: 'x'.repeat(2000) },
    );
    expect(mine).toEqual({ a: { y: 1 }, n: 300, pad: 'x'.repeat(2000) });
    await client.close();
  });

  it('has the whole document as the history since a position, and every publication as its last ones', async () => {
    const topic = newTopic();
    const { client } = await follow(topic);
    const { epoch, offset } = await publish(topic, { a: 1 }, true);
    await publish(topic, { b: 1 });
    const last = await publish(topic, { c: 1 });
    for (const subscribed of [true, false]) {
      if (!subscribed) await client.get('unsubscribed', { type: 'unsubscribe', topic });
      const since = await client.get('history', { type: 'history', topic, since: { epoch, offset } });
      expect(since).toMatchObject({ complete: true, items: [[last.offset, null, { a: 1, b: 1, c: 1 }]] });
    }
    const all = await client.get('history', { type: 'history', topic, last: 3 });
    expect(all.items.map(([, , data, meta]) => [data, meta?.patch])).toEqual([
      [{ a: 1 }, undefined],
      [{ b: 1 }, true],
      [{ c: 1 }, true],
    ]);
  });

  it('stays what it was when a publication would break its bounds', async () => {
    const topic = newTopic('small');
    const { until } = await follow(topic);
    await publish(topic, { a: '12345678901234567890', b: '12345678901234567890' });
    for (const tooMuch of [{ c: 'x'.repeat(40) }, { c: { d: { e: {} } } }, { c: [1, 2, 3, 4] }]) await publish(topic, tooMuch);
    await publish(topic, { whole: 'x'.repeat(70) }, true);
    const { offset } = await publish(topic, { b: null, c: 1 });
    expect(await until(offset)).toEqual({ a: '12345678901234567890', c: 1 });
    expect(await node.metric('stentor_publications_skipped_total', { reason: 'document_too_large' })).toBe(4);
    const unseen = newTopic('small');
    for (const data of [{ a: 1 }, { b: 'x'.repeat(70) }, { c: 1 }]) await publish(unseen, data);
    expect((await follow(unseen)).answer.items.map(([, , data]) => data)).toEqual([{ a: 1, c: 1 }]);
  });

  it('refuses such a publication of a client and of the HTTP API', async () => {
    const topic = newTopic('small');
    await follow(topic);
    await publisher.get('published', { type: 'publish', topic, data: { a: '12345678901234567890', b: '12345678901234567890' } });
    const refusal = { type: 'error', code: 'document_too_large', retryable: false };
    expect(await publisher.ask({ type: 'publish', topic, data: { c: 'x'.repeat(40) } })).toMatchObject(refusal);
    expect(await publisher.ask({ type: 'publish', topic: newTopic('small'), data: { c: 'x'.repeat(70) } })).toMatchObject(refusal);
    expect(await publisher.ask({ type: 'publish', topic, data: { c: 'x'.repeat(70) }, image: true })).toMatchObject(refusal);
    await expect(node.running.publish({ topic, data: { c: 'x'.repeat(40) } })).rejects.toMatchObject({ code: 'document_too_large' });
    await publisher.get('published', { type: 'publish', topic, data: { b: 'short' } });
  });

  it('lets clients publish images where their token permits it', async () => {
    const topic = newTopic();
    await publisher.get('published', { type: 'publish', topic, data: { a: 1, b: 1 }, image: true });
    await publisher.get('published', { type: 'publish', topic, data: { b: null } });
    expect((await follow(topic)).answer.items[0]?.[2]).toEqual({ a: 1 });
    const other = await node.connect({ encoding: 'json', token: await tokenFor(['small.*']) });
    expect(await other.ask({ type: 'publish', topic, data: {}, image: true })).toMatchObject({ code: 'forbidden' });
    await other.get('published', { type: 'publish', topic, data: {} });
    // By the rules of merge patches each of these stands for the whole document, or removes it.
    for (const data of [null, 5, 'text', [1, 2], true]) {
      expect(await other.ask({ type: 'publish', topic, data })).toMatchObject({ type: 'error', code: 'forbidden' });
    }
    expect((await follow(topic)).answer.items[0]?.[2]).toEqual({ a: 1 });
    await publisher.get('published', { type: 'publish', topic, data: [1, 2] });
    expect((await follow(topic)).answer.items[0]?.[2]).toEqual([1, 2]);
    await publisher.get('published', { type: 'publish', topic, data: null });
    expect((await follow(topic)).answer.items).toEqual([]);
    expect(await publisher.ask({ type: 'publish', topic: 'plain.a', data: {}, image: true })).toMatchObject({ code: 'unsupported' });
  });

  it('refuses echo: false, with which a client would have another document', async () => {
    const client = await node.connect();
    const answer = await client.ask({ type: 'subscribe', topic: newTopic(), echo: false });
    expect(answer).toMatchObject({ type: 'error', code: 'unsupported' });
    expect(await publisher.ask({ type: 'publish', topic: newTopic(), data: {}, echo: false })).toMatchObject({ code: 'unsupported' });
  });

  it('has no state where nothing in the log proves it, until the next image', async () => {
    const topic = newTopic('short');
    await publish(topic, { a: 1 }, true);
    for (let n = 0; n < 6; n++) await publish(topic, { n });
    const { answer, client, until } = await follow(topic);
    expect(answer).toMatchObject({ state: 'unavailable', recovered: false, items: [] });
    await publish(topic, { n: 7 });
    const { offset } = await publish(topic, { whole: true }, true);
    expect(await until(offset)).toEqual({ whole: true });
    expect(client.messages.filter(({ type }) => type === 'batch')).toEqual([]);
    expect(await client.next('resync')).toMatchObject({ offset, items: [[offset, null, { whole: true }]] });
    const after = await publish(topic, { n: 8 });
    expect(await until(after.offset)).toEqual({ whole: true, n: 8 });
    expect((await follow(topic)).answer).not.toHaveProperty('state');
  });

  it('is the same for everybody, whatever they are sent of it', async () => {
    const topic = newTopic();
    const generator = new BookGenerator(40);
    await publish(topic, generator.image().patch, true);
    const rates = [undefined, 1, 5, 20];
    const members = await Promise.all(
      rates.flatMap((maxRateHz) =>
        (['json', 'msgpack'] as const).map(async (encoding) => {
          const client = await node.connect({ encoding });
          await client.get('subscribed', { type: 'subscribe', topic, ...(maxRateHz !== undefined && { maxRateHz }) });
          return { client, follower: new DocumentFollower(topic, isRight) };
        }),
      ),
    );
    let last = 0;
    for (let n = 0; n < 3000; n++) {
      const { patch, image } = generator.next();
      last = (await publish(topic, patch, image)).offset;
      if (n % 100 === 0)
        await members[0]?.client.until('to have some', () => (members[0]?.follower.take(members[0].client).offset ?? 0) > 0);
    }
    for (const { client, follower } of members) {
      await client.until('everything', () => follower.take(client).offset === last);
      expect(follower).toMatchObject({ gaps: 0, wrong: 0, document: generator.book });
    }
    expect(members.slice(2).some(({ follower }) => follower.conflated > 0)).toBe(true);
  });
});
