import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const ATTACK = '<img src=x onerror=alert(1)>hello <b>you</b>';
const open = { public: true, clientPublish: true };

describe('sanitize', () => {
  let node: TestNode;
  let client: TestClient;
  beforeAll(async () => {
    const namespaces = {
      raw: open,
      plain: { ...open, sanitize: 'text' },
      rich: { ...open, sanitize: 'html', payload: 'msgpack', durable: false },
    };
    node = await TestNode.start({ namespaces });
    client = await node.connect({ encoding: 'json', token: await tokenOf({ publish: ['>'] }) });
    await client.next('connected');
    for (const topic of ['raw.a', 'plain.a', 'rich.a']) await client.subscribe(topic);
  });
  afterAll(() => node.stop());

  it.each([
    ['raw.a', ATTACK],
    ['plain.a', 'hello you'],
    ['rich.a', 'hello <b>you</b>'],
  ])('what a client publishes to %s arrives as %s', async (topic, expected) => {
    const answer = client.ask({ type: 'publish', topic, data: { text: ATTACK } });
    const batch = await client.next('batch', (message) => message.topic === topic);
    expect(batch.items[0]?.[2]).toEqual({ text: expected });
    expect(await answer).toMatchObject({ type: 'published' });
  });

  it('what a producer and the node publish stays', async () => {
    await node.publish('plain.a', { text: ATTACK });
    expect((await client.next('batch', ({ topic }) => topic === 'plain.a')).items[0]?.[2]).toEqual({ text: ATTACK });
    await node.running.publish({ topic: 'plain.a', data: ATTACK });
    expect((await client.next('batch', ({ topic }) => topic === 'plain.a')).items[0]?.[2]).toEqual(ATTACK);
  });

  it('keeps the order of what one client publishes', async () => {
    const texts = Array.from({ length: 40 }, (_, n) => (n % 3 === 0 ? `${n}` : `<b>${n}</b>`));
    const answers = await Promise.all(texts.map((data) => client.ask({ type: 'publish', topic: 'plain.order', data })));
    const offsets = answers.map((answer) => (answer as { offset?: number }).offset ?? 0);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    expect(offsets[0]).toBeGreaterThan(0);
  });

  it('answers what cannot be cleaned with an error', async () => {
    const ask = (data: unknown) => client.ask({ type: 'publish', topic: 'plain.a', data });
    expect(await ask({ '<i>name': 1 })).toMatchObject({ type: 'error', code: 'bad_payload' });
    expect(await ask(`<i>${'x'.repeat(2000)}`)).toMatchObject({ type: 'error', code: 'message_too_big' });
  });
});
