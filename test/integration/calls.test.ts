import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const packr = new Packr({ useRecords: false });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('calls from two nodes to services on one nats-server', () => {
  let nats: NatsServer;
  let services: NatsConnection;
  let nodes: TestNode[];

  beforeAll(async () => {
    nats = await startNatsServer();
    services = await connect({ servers: nats.url });
    const settings = { 'nats.url': nats.url, namespaces: { live: { durable: false } }, 'limits.callsPerSecondMax': 0 };
    nodes = [
      await TestNode.start({ ...settings, nodeId: 'one' }),
      await TestNode.start({ ...settings, nodeId: 'two', 'calls.payload': 'msgpack', 'tuning.commands.callAnswerBytesMax': 1000 }),
    ];
  });
  afterAll(async () => {
    for (const node of nodes ?? []) await node.stop();
    await services?.close();
    await nats?.stop();
  });

  async function serve(method: string, answer: (message: Msg) => void): Promise<void> {
    services.subscribe(`rpc.${method}`, { callback: (_, message) => answer(message) });
    await services.flush();
  }

  async function connected(node: TestNode, sub: string, encoding: Encoding = 'json'): Promise<TestClient> {
    const client = await node.connect({ encoding, token: await tokenOf({ sub }) });
    await client.next('connected');
    return client;
  }

  it('tell the service who asks, through which connection and node, and in which format', async () => {
    const asked: { headers: Record<string, string>; data: Uint8Array }[] = [];
    await serve('who', (message) => {
      const names = ['Stentor-User', 'Stentor-Connection', 'Stentor-Node', 'Content-Type'];
      asked.push({ headers: Object.fromEntries(names.map((name) => [name, message.headers?.get(name) ?? ''])), data: message.data });
      message.respond(json('ok'));
    });
    for (const [i, node] of nodes.entries()) {
      const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub: 'Zoë: 100%' }) });
      const { connectionId } = await client.next('connected');
      if (i === 0) expect(await client.ask({ type: 'call', method: 'who', data: { n: 1 } })).toMatchObject({ type: 'result', data: 'ok' });
      // Asked in MessagePack, an answer without a Content-Type is taken for that too.
      else expect(await client.ask({ type: 'call', method: 'who', data: { n: 1 } })).toMatchObject({ code: 'bad_answer' });
      expect(asked[i]).toMatchObject({
        headers: {
          'Stentor-User': encodeURIComponent('Zoë: 100%'),
          'Stentor-Connection': connectionId,
          'Stentor-Node': node.running.nodeId,
          'Content-Type': i === 0 ? 'application/json' : 'application/msgpack',
        },
      });
      const { data } = asked[i]!;
      expect(i === 0 ? JSON.parse(Buffer.from(data).toString()) : packr.unpack(data)).toEqual({ n: 1 });
    }
  });

  it.each<Encoding>(['json', 'msgpack'])('take an answer in whichever format it says, for a client in %s', async (encoding) => {
    const answers = { json: json({ a: [1] }), msgpack: packr.pack({ a: [1] }) };
    for (const [kind, payload] of Object.entries(answers)) {
      const method = `format-${encoding}-${kind}`;
      await serve(method, (message) => {
        const all = headers();
        all.set('content-type', `application/${kind}; charset=utf-8`);
        message.respond(payload, { headers: all });
      });
      for (const node of nodes) {
        const client = await connected(node, 'ann', encoding);
        expect(await client.ask({ type: 'call', method })).toMatchObject({ type: 'result', data: { a: [1] } });
      }
    }
  });

  it('return a service’s error to the client with the service’s code and text, marked as its own, for any code and text', async () => {
    const cases: [code: string | undefined, text: string | undefined, expected: object][] = [
      ['404', 'no such account', { code: '404', message: 'no such account' }],
      ['rate_limited', 'slowly', { code: 'rate_limited', message: 'slowly' }],
      [undefined, 'only text', { code: 'service_error', message: 'only text' }],
      ['E1', undefined, { code: 'E1', message: 'the service refused the call' }],
      ['c'.repeat(100), 't'.repeat(3000), { code: 'c'.repeat(64), message: 't'.repeat(1024) }],
    ];
    const client = await connected(nodes[0]!, 'ann');
    for (const [i, [code, text, expected]] of cases.entries()) {
      await serve(`fails-${i}`, (message) => {
        const all = headers();
        if (code !== undefined) all.set('Nats-Service-Error-Code', code);
        if (text !== undefined) all.set('Nats-Service-Error', text);
        message.respond(json('not a result'), { headers: all });
      });
      expect(await client.ask({ type: 'call', method: `fails-${i}` })).toMatchObject({
        type: 'error',
        service: true,
        retryable: false,
        ...expected,
      });
    }
    // They are answers: none counts as a mistake of the client.
    expect(await nodes[0]!.metric('stentor_errors_total')).toBe(0);
  });

  it('reject in the SDK with the service’s code, which slows nothing else down', async () => {
    await serve('refuses', (message) => {
      const all = headers();
      all.set('Nats-Service-Error-Code', 'rate_limited');
      all.set('Nats-Service-Error', 'come back tomorrow');
      message.respond('', { headers: all });
    });
    await serve('works', (message) => message.respond(json(1)));
    const client = createClient({ url: nodes[0]!.url, token: await tokenOf() });
    try {
      const refused = client.call('refuses');
      const next = refused.catch(() => client.call('works', null, { timeoutMs: 900 }));
      await expect(refused).rejects.toMatchObject({ code: 'rate_limited', message: 'rate_limited: come back tomorrow', retryable: false });
      expect(await next).toBe(1);
    } finally {
      await client.close();
    }
  });

  it('fail with their own codes if no service has the method, none answers, or the answer is too large', async () => {
    await serve('silent', () => undefined);
    await serve('long', (message) => message.respond(packr.pack('x'.repeat(2000))));
    const client = await connected(nodes[1]!, 'ann');
    expect(await client.ask({ type: 'call', method: 'nobody' })).toMatchObject({ code: 'no_responders', retryable: true });
    expect(await client.ask({ type: 'call', method: 'silent', timeoutMs: 50 })).toMatchObject({ code: 'timeout', retryable: true });
    expect(await client.ask({ type: 'call', method: 'long' })).toMatchObject({ code: 'answer_too_large', retryable: false });
  });

  it('are limited for each connection by itself, and nothing else of it is', async () => {
    await serve('counted', (message) => message.respond(json(1)));
    const node = await TestNode.start({ 'nats.url': nats.url, namespaces: { live: { durable: false, public: true } } });
    try {
      const client = await connected(node, 'ann');
      const answers = await Promise.all(Array.from({ length: 30 }, () => client.ask({ type: 'call', method: 'counted' })));
      const refused = answers.filter((answer) => answer.type === 'error');
      // 10 a second, with a burst of the same number.
      expect(answers.length - refused.length).toBeGreaterThanOrEqual(20);
      expect(refused.length).toBeGreaterThan(0);
      for (const answer of refused) expect(answer).toMatchObject({ code: 'too_many_calls', retryable: true });
      for (const { retryAfterMs } of refused as { retryAfterMs: number }[]) expect(retryAfterMs).toBeLessThanOrEqual(100);
      await client.subscribe('live.a');
      expect(await (await connected(node, 'ann')).ask({ type: 'call', method: 'counted' })).toMatchObject({ type: 'result' });
    } finally {
      await node.stop();
    }
  });
});
