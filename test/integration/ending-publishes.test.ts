import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tempFile } from '../config/helpers.ts';
import { post as publish, request } from '../support/http.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { sign } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const ADMIN_TOKEN = 'the-operators-token';
const HEADERS = { Authorization: `Bearer ${ADMIN_TOKEN}` };

/** Waits until the test lets it go on. */
const SLOW = `
globalThis.stentorSlowHooks ??= [];
export const publish = () => new Promise((resolve) => globalThis.stentorSlowHooks.push(() => resolve({ allow: true })));
`;
const kept = globalThis as { stentorSlowHooks?: (() => void)[] };
kept.stentorSlowHooks = [];
const inCode = kept.stentorSlowHooks;

type Doing = 'revoke' | 'disconnect';

describe('what a client has published, and a slow hook has not decided about, when an operator ends the client', () => {
  let nats: NatsServer;
  let services: NatsConnection;
  let nodes: [TestNode, TestNode];
  let served: { unsubscribe(): void };
  /** Questions of the publish hook that are not answered yet. */
  let asked: Msg[];

  beforeAll(async () => {
    nats = await startNatsServer();
    services = await connect({ servers: nats.url });
    services.subscribe('auth.connect', { callback: (_, message) => void message.respond('{"allow":true}') });
    const hooks = { timeoutMs: 20_000 };
    const settings = {
      'nats.url': nats.url,
      'admin.token': ADMIN_TOKEN,
      'auth.revocations': 'accept',
      'hooks.connect': 'nats:auth.connect',
      namespaces: {
        room: { clientPublish: true, hooks: { ...hooks, publish: 'nats:auth.publish' } },
        code: { clientPublish: true, hooks: { ...hooks, module: tempFile('slow.mjs', SLOW) } },
        read: { hooks: { ...hooks, subscribe: 'nats:auth.publish' } },
      },
    };
    nodes = [await TestNode.start(settings), await TestNode.start(settings)];
    // Otherwise an order to the second is answered before the first has carried it out.
    await nodes[1].untilNodes(2);
  });
  beforeEach(async () => {
    asked = [];
    served = services.subscribe('auth.publish', { callback: (_, message) => void asked.push(message) });
    await services.flush();
  });
  afterEach(() => served.unsubscribe());
  afterAll(async () => {
    for (const node of nodes ?? []) await node.stop();
    await services?.close();
    await nats?.stop();
  });

  const tokenOf = (sub: string) =>
    sign({ sub, jti: `of-${sub}`, exp: Date.now() / 1000 + 600, stentor: { subscribe: ['>'], publish: ['>'] } });
  async function connected(sub: string): Promise<TestClient & { connectionId: string }> {
    const client = await nodes[0].connect({ encoding: 'json', token: await tokenOf(sub) });
    const { connectionId } = await client.next('connected');
    return Object.assign(client, { connectionId });
  }
  /** By the other node: again if it did not get the answer of this one in time. */
  async function end(doing: Doing, target: object): Promise<void> {
    const url = `http://127.0.0.1:${nodes[1].running.adminPort}/api/${doing}`;
    const order = { method: 'POST', headers: HEADERS, body: JSON.stringify(target) };
    await until(
      'both nodes to have carried it out',
      async () => ((await (await fetch(url, order)).json()) as { nodes: number }).nodes === 2,
    );
  }
  const allow = () => {
    for (const message of asked) message.respond('{"allow":true}');
  };
  /** What is stored in a topic, once another publication is. */
  async function storedAfter(topic: string, publishLast: () => Promise<unknown>): Promise<unknown[]> {
    const reader = await connected('reader');
    await publishLast();
    const { items } = await reader.get('history', { type: 'history', topic, last: 100 });
    return items.map((item) => item[2]);
  }
  const producer = (topic: string) => () => nodes[0].publish(topic, 'last');

  it.each<[string, Doing, number, (of: { sub: string; connectionId: string }) => object]>([
    ['its token is revoked', 'revoke', 4011, ({ sub }) => ({ tokenId: `of-${sub}` })],
    ['all tokens of its user are revoked', 'revoke', 4011, ({ sub }) => ({ user: sub })],
    ['its user is disconnected', 'disconnect', 4010, ({ sub }) => ({ user: sub })],
    ['its connection is ended, and may come back', 'disconnect', 4105, ({ connectionId }) => ({ connectionId, reconnect: true })],
  ])('is not stored if %s', async (what, doing, code, target) => {
    const sub = `ann-${what.replaceAll(/\W/g, '')}`;
    const topic = `room.${sub}`;
    const client = await connected(sub);
    for (const data of ['one', 'two']) client.send({ type: 'publish', id: 1, topic, data });
    const other = await connected('bob');
    const ofBob = other.ask({ type: 'publish', topic, data: 'of bob' });
    await until('the questions', () => asked.length === 3);
    const told = { code: doing === 'revoke' ? 'token_revoked' : 'forbidden' };
    const before = await nodes[0].metric('stentor_errors_total', told);
    await end(doing, target({ sub, connectionId: client.connectionId }));
    expect(await client.closed).toMatchObject({ code });
    allow();
    expect(await ofBob).toMatchObject({ type: 'published' });
    expect(await storedAfter(topic, producer(topic))).toEqual(['of bob', 'last']);
    expect(await nodes[0].metric('stentor_errors_total', told)).toBe(before + 2);
  });

  it('is stored if only the client has gone: it was allowed to publish, and cannot know whether it has', async () => {
    const client = await connected('gone');
    client.send({ type: 'publish', id: 1, topic: 'room.gone', data: 'one' });
    await until('the question', () => asked.length === 1);
    await client.close();
    allow();
    await until('it to be stored', async () => (await storedAfter('room.gone', async () => undefined)).length === 1);
  });

  it('is answered with token_revoked where it was a request, and others of the user with a valid token are not', async () => {
    const [stolen, valid] = [await tokenOf('carl'), await sign({ sub: 'carl', exp: Date.now() / 1000 + 600, stentor: { publish: ['>'] } })];
    const publishes = [stolen, valid].map((token) => publish(nodes[0], { topic: 'room.request', data: token === stolen }, { token }));
    await until('the questions', () => asked.length === 2);
    await end('revoke', { tokenId: 'of-carl' });
    allow();
    expect(await publishes[0]).toMatchObject({ status: 401, body: { error: { code: 'token_revoked' } } });
    expect(await publishes[1]).toMatchObject({ status: 200 });
    expect(await storedAfter('room.request', producer('room.request'))).toEqual([false, 'last']);
  });

  it('is not read either: a request for history is answered with token_revoked', async () => {
    await nodes[0].publish('read.a', 'secret');
    const reading = request(nodes[0], '/history?topic=read.a', { token: await tokenOf('dora') });
    await until('the question', () => asked.length === 1);
    await end('revoke', { tokenId: 'of-dora' });
    allow();
    expect(await reading).toMatchObject({ status: 401, body: { error: { code: 'token_revoked' } } });
  });

  it.each<[Doing, number]>([
    ['revoke', 4011],
    ['disconnect', 4010],
  ])('is not stored where the slow hook is in code: %s', async (doing, code) => {
    const client = await connected(`eve-${doing}`);
    const topic = `code.${doing}`;
    client.send({ type: 'publish', id: 1, topic, data: 'one' });
    await until('the hook to be asked', () => inCode.length === 1);
    await end(doing, { user: `eve-${doing}` });
    expect(await client.closed).toMatchObject({ code });
    for (const goOn of inCode.splice(0)) goOn();
    expect(await storedAfter(topic, producer(topic))).toEqual(['last']);
  });
});

describe('a connect hook that denies when it is asked again', () => {
  it('takes back what its client has published, and a slow hook has not decided about', async () => {
    const nats = await startNatsServer();
    const services = await connect({ servers: nats.url });
    const node = await TestNode.start({
      'nats.url': nats.url,
      'hooks.connect': 'nats:auth.connect',
      namespaces: { room: { public: true, clientPublish: true, hooks: { timeoutMs: 20_000, publish: 'nats:auth.publish' } } },
    });
    try {
      const asked: Msg[] = [];
      services.subscribe('auth.publish', { callback: (_, message) => void asked.push(message) });
      const mayStay = (user: string | null) => asked.length === 0 || user !== 'ann';
      services.subscribe('auth.connect', {
        callback: (_, message) =>
          void message.respond(
            mayStay(message.json<{ user: string | null }>().user) ? '{"allow":true,"expiresInMs":1000}' : '{"allow":false}',
          ),
      });
      await services.flush();
      const token = await sign({ sub: 'ann', exp: Date.now() / 1000 + 600, stentor: { publish: ['>'] } });
      const client = await node.connect({ encoding: 'json', token });
      await client.next('connected');
      client.send({ type: 'publish', id: 1, topic: 'room.a', data: 'one' });
      const question = await until('the question', () => asked[0]);
      expect(await client.closed).toMatchObject({ code: 4001 });
      question.respond('{"allow":true}');
      await node.untilMetric('stentor_errors_total', (count) => count > 0, { code: 'forbidden' });
      await node.publish('room.a', 'last');
      const reader = await node.connect();
      const { items } = await reader.get('history', { type: 'history', topic: 'room.a', last: 10 });
      expect(items.map((item) => item[2])).toEqual(['last']);
    } finally {
      await node.stop();
      await services.close();
      await nats.stop();
    }
  });
});
