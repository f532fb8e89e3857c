import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tempFile } from '../config/helpers.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
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

describe('sanitize after the publish hook', () => {
  /** Repeats what the client wrote, denies what contains `deny`, and answers with a tag of its own. */
  const answer = (text: string) =>
    text.includes('deny')
      ? { allow: false, code: 'no_tags' }
      : { allow: true, data: { text: `${text} <u>by the hook</u>`, seen: text.length } };
  const MODULE = `export function publish({ data: { text } }) { return (${String(answer)})(text); }`;
  let nats: NatsServer;
  let service: NatsConnection;
  let node: TestNode;
  let client: TestClient;

  beforeAll(async () => {
    nats = await startNatsServer();
    service = await connect({ servers: nats.url });
    service.subscribe('auth.publish', {
      callback: (_, message) => void message.respond(JSON.stringify(answer(message.json<{ data: { text: string } }>().data.text))),
    });
    await service.flush();
    const namespaces = {
      service: { ...open, sanitize: 'text', hooks: { publish: 'nats:auth.publish' } },
      plain: { ...open, sanitize: 'text' },
      code: { ...open, sanitize: 'text', hooks: { module: tempFile('publish.mjs', MODULE) } },
    };
    node = await TestNode.start({ 'nats.url': nats.url, namespaces });
    client = await node.connect({ encoding: 'json', token: await tokenOf({ publish: ['>'] }) });
    await client.next('connected');
  });
  afterAll(async () => {
    await node?.stop();
    await service?.close();
    await nats?.stop();
  });

  it.each(['service.a', 'code.a'])('%s: the hook sees the text as it was written, and its answer is cleaned', async (topic) => {
    await client.subscribe(topic);
    const published = client.ask({ type: 'publish', topic, data: { text: ATTACK } });
    const { items } = await client.next('batch', (message) => message.topic === topic);
    expect(items[0]?.[2]).toEqual({ text: 'hello you by the hook', seen: ATTACK.length });
    expect(await published).toMatchObject({ type: 'published' });
  });

  it.each(['service.b', 'code.b'])('%s: what the hook denies is not cleaned', async (topic) => {
    const cleaned = await node.metric('stentor_sanitize_seconds_count');
    expect(await client.ask({ type: 'publish', topic, data: { text: '<b>deny</b>' } })).toMatchObject({ type: 'error', code: 'no_tags' });
    expect(await node.metric('stentor_sanitize_seconds_count')).toBe(cleaned);
  });

  it('counts what it cleaned, changed and refused', async () => {
    const [changed, refused] = [
      await node.metric('stentor_sanitize_seconds_count', { outcome: 'changed' }),
      await node.metric('stentor_sanitize_refused_total'),
    ];
    await client.ask({ type: 'publish', topic: 'plain.c', data: { text: '<b>x</b>' } });
    expect(await client.ask({ type: 'publish', topic: 'plain.c', data: { text: `<b>${'x'.repeat(2000)}` } })).toMatchObject({
      code: 'message_too_big',
    });
    expect(await node.metric('stentor_sanitize_seconds_count', { outcome: 'changed' })).toBe(changed + 1);
    expect(await node.metric('stentor_sanitize_refused_total', { code: 'message_too_big' })).toBe(refused + 1);
    expect(await node.metric('stentor_sanitize_waiting')).toBe(0);
  });
});
