import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onCall } from '../../src/client/calls.ts';
import { createClient } from '../../src/client/index.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { runCli } from '../cli/run-cli.ts';
import { EventClient } from '../support/event-client.ts';
import { NodePair } from '../support/node-pair.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const ENCODINGS: readonly Encoding[] = ['json', 'msgpack'];
const NAMESPACES = { chat: { public: true }, live: { public: true, durable: false }, quiet: { public: true, durable: false } };

let pair: NodePair;
beforeAll(async () => {
  pair = await NodePair.start({
    namespaces: NAMESPACES,
    'heartbeat.pingIntervalMs': 600_000,
    'tuning.sending.messageBytesMax': 20_000,
    'tuning.sending.callsPerConnectionMax': 4,
    'tuning.sending.callConnectionsMax': 3,
    'tuning.sending.requestsInFlightMax': 8,
    'tuning.sending.requestBytesInFlightMax': 65_536,
    'tuning.commands.callAnswerBytesMax': 2000,
  });
});
afterAll(() => pair?.stop());

function sentTo({ messages }: TestClient): ServerMessage<'message'>[] {
  return messages.filter((message): message is ServerMessage<'message'> => message.type === 'message');
}

/** Answers every call with what the function returns. */
function answering(client: TestClient, answer: (call: ServerMessage<'call'>) => object | undefined): void {
  const next = async () => {
    for (;;) {
      const call = await client.next('call');
      const given = answer(call);
      if (given !== undefined) client.send({ id: call.id, ...given });
    }
  };
  next().catch(() => undefined);
}

const code = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code];

describe.each(ENCODINGS)('to every connection of a namespace (%s)', (encoding) => {
  it('reaches each connection that is subscribed in it once, on all nodes, from every door, and no other', async () => {
    const members = [];
    for (const node of pair.both) {
      for (const topics of [['live.a'], ['live.a', 'live.b', 'chat.a']]) {
        const { client } = await pair.client(node, 'ann', encoding);
        for (const topic of topics) await client.subscribe(topic);
        members.push(client);
      }
    }
    const others = await Promise.all(pair.both.map((node) => pair.client(node, 'bob', encoding)));
    for (const { client } of others) await client.subscribe('chat.a');
    expect(await pair.post(pair.one, '/api/send', { namespace: 'live', data: { n: 'http' } })).toEqual({ status: 200, body: {} });
    expect(await pair.two.running.send({ namespace: 'live', data: { n: 'embedded' } })).toEqual({});
    pair.program.publish('stentor.send.namespace.live', '{"n":"nats"}');
    const cli = await runCli(['send', '--namespace', 'live', '{"n":"cli"}', ...pair.apiOptions(pair.one)]);
    expect([cli.code, cli.stdout], cli.stderr).toEqual([0, '{}\n']);
    for (const client of members) {
      await client.until('all', () => sentTo(client).length >= 4);
      await client.settle();
      expect(new Set(sentTo(client).map(({ data }) => (data as { n: string }).n))).toEqual(new Set(['http', 'embedded', 'nats', 'cli']));
      expect(sentTo(client)).toHaveLength(4);
      for (const message of sentTo(client)) expect(message.namespace).toBe('live');
    }
    for (const { client } of others) {
      await client.settle();
      expect(sentTo(client)).toEqual([]);
    }
  });

  it('follows subscriptions that come and go after the first message', async () => {
    const { client } = await pair.client(pair.two, 'ann', encoding);
    const send = (data: unknown) => pair.post(pair.one, '/api/send', { namespace: 'quiet', data });
    /** What everybody in `live` gets comes later on the same node. */
    const end = async (mark: number) => {
      await pair.post(pair.one, '/api/send', { namespace: 'live', data: mark });
      await client.until('the end', () => sentTo(client).some(({ data }) => data === mark));
      return sentTo(client).flatMap(({ namespace, data }) => (namespace === 'quiet' ? [data] : []));
    };
    await client.subscribe('live.z');
    await send('before');
    expect(await end(1)).toEqual([]);
    await client.subscribe('quiet.a');
    await client.subscribe('quiet.b');
    await send('both');
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'quiet.a' });
    await send('one left');
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'quiet.b' });
    await send('none');
    expect(await end(2)).toEqual(['both', 'one left']);
  });
});

describe.each(ENCODINGS)('to one connection (%s)', (encoding) => {
  it('reaches it on any node, from every door, and no other', async () => {
    const [target, other] = [await pair.client(pair.two, 'ann', encoding), await pair.client(pair.two, 'ann', encoding)];
    const { connectionId } = target;
    for (const node of pair.both) {
      expect(await pair.post(node, '/api/send', { connectionId, data: ['http', 1n.toString()] })).toEqual({
        status: 200,
        body: { delivered: true },
      });
    }
    expect(await pair.one.running.send({ connectionId, data: 'embedded', volatile: true })).toEqual({ delivered: true });
    pair.program.publish(`stentor.send.connection.${connectionId}`, '"nats"');
    const asked = await pair.program.request(`stentor.send.connection.${connectionId}`, '"nats request"');
    expect(asked.json()).toEqual({ delivered: true });
    const cli = await runCli(['send', '--connection', connectionId, '"cli"', ...pair.apiOptions(pair.one)]);
    expect([cli.code, cli.stdout], cli.stderr).toEqual([0, '{"delivered":true}\n']);
    await target.client.until('all', () => sentTo(target.client).length === 6);
    expect(sentTo(target.client).map(({ data }) => data)).toEqual(
      expect.arrayContaining([['http', '1'], 'embedded', 'nats', 'nats request', 'cli']),
    );
    for (const message of sentTo(target.client)) expect(message).not.toHaveProperty('namespace');
    await other.client.settle();
    expect(sentTo(other.client)).toEqual([]);
  });

  it('says that there is no such connection: unknown, closed, or no id at all', async () => {
    const { client, connectionId } = await pair.client(pair.two, 'ann', encoding);
    await client.close();
    for (const id of [connectionId, 'two-00000000.1', 'nonsense', 'a.b.c', '*', `${connectionId}.>`, connectionId.replace(/\d+$/, '*')]) {
      await until('the node to know', async () => {
        const answer = await pair.post(pair.one, '/api/send', { connectionId: id, data: 1 });
        return code(answer).join() === '404,no_such_connection';
      });
      expect(code(await pair.post(pair.one, '/api/call', { connectionId: id, method: 'm' }))).toEqual([404, 'no_such_connection']);
    }
    const { code: exit, stderr } = await runCli(['send', '--connection', connectionId, '1', ...pair.apiOptions(pair.one)]);
    expect([exit, stderr]).toEqual([1, expect.stringContaining('no_such_connection')]);
    const answer = await pair.program.request(`stentor.send.connection.${connectionId}`, '1');
    expect(answer.headers?.get('Nats-Service-Error-Code')).toBe('no_such_connection');
  });

  it('drops what is volatile if the socket does not keep up', async () => {
    const { client, connectionId } = await pair.client(pair.two, 'ann', encoding);
    client.pause();
    const send = (volatile: boolean) => pair.post(pair.one, '/api/send', { connectionId, data: 'x'.repeat(19_000), volatile });
    // Others fill the socket.
    for (let full = false; !full; ) {
      await Promise.all(Array.from({ length: 5 }, () => send(false)));
      full = (await send(true)).body.delivered === false;
    }
    const before = await send(true);
    expect(before).toEqual({ status: 200, body: { delivered: false } });
    client.resume();
    await client.settle();
    await until('room again', async () => (await send(true)).body.delivered === true);
  });
});

it('refuses what is too big, or from whom it may not come', async () => {
  const { connectionId, client } = await pair.client(pair.one, 'ann', 'json');
  const data = 'x'.repeat(20_000);
  expect(code(await pair.post(pair.one, '/api/send', { connectionId, data }))).toEqual([413, 'message_too_big']);
  expect(code(await pair.post(pair.one, '/api/send', { namespace: 'live', data }))).toEqual([413, 'message_too_big']);
  expect(code(await pair.post(pair.one, '/api/call', { connectionId, method: 'm', data }))).toEqual([413, 'message_too_big']);
  expect(code(await pair.post(pair.one, '/api/send', { namespace: 'nowhere', data: 1 }))).toEqual([404, 'unknown_namespace']);
  expect(code(await pair.post(pair.one, '/api/send', { data: 1 }))).toEqual([400, 'bad_message']);
  expect(code(await pair.post(pair.one, '/api/send', { connectionId, namespace: 'live', data: 1 }))).toEqual([400, 'bad_message']);
  expect(code(await pair.post(pair.one, '/api/call', { connectionId, method: 'a b' }))).toEqual([400, 'bad_message']);
  for (const path of ['/api/send', '/api/call']) {
    expect(code(await pair.post(pair.one, path, { connectionId, method: 'm', data: 1 }, 'a wrong one'))).toEqual([401, 'unauthorized']);
  }
  await expect(pair.one.running.send({ data: 1 })).rejects.toMatchObject({ code: 'bad_message' });
  await expect(pair.one.running.send({ connectionId, data: () => 1 })).rejects.toMatchObject({ code: 'bad_payload' });
  // Invalid payloads of programs on NATS: nothing is sent, and nothing breaks.
  pair.program.publish('stentor.send.namespace.live', '{');
  pair.program.publish('stentor.send.namespace.nowhere', '1');
  pair.program.publish('stentor.send.namespace.live', JSON.stringify(data));
  const malformed = await pair.program.request(`stentor.send.connection.${connectionId}`, '{');
  expect(malformed.headers?.get('Nats-Service-Error-Code')).toBe('bad_payload');
  await client.settle();
  expect(sentTo(client)).toEqual([]);
  // A client has no command for it.
  expect(await client.ask({ type: 'send', connectionId, data: 1 } as never)).toMatchObject({ type: 'error', code: 'unknown_type' });
});

describe.each(ENCODINGS)('calls of clients (%s)', (encoding) => {
  it('are answered by one client, on any node, at every door', async () => {
    const { client, connectionId } = await pair.client(pair.two, 'ann', encoding);
    answering(client, ({ method, data }) => ({ type: 'result', data: { method, data } }));
    const answer = { connectionId, data: { method: 'cart.read', data: { deep: [1, null, 'ö'] } } };
    const asked = { connectionId, method: 'cart.read', data: { deep: [1, null, 'ö'] } };
    for (const node of pair.both) {
      expect(await pair.post(node, '/api/call', asked)).toEqual({ status: 200, body: { answers: [answer] } });
      expect(await node.running.call(asked)).toEqual({ answers: [answer] });
    }
    const cli = await runCli(['call', 'cart.read', JSON.stringify(asked.data), '--connection', connectionId, ...pair.apiOptions(pair.one)]);
    expect(JSON.parse(cli.stdout)).toEqual({ answers: [answer] });
    const reply = await pair.program.request(`stentor.call.connection.${connectionId}.cart.read`, JSON.stringify(asked.data));
    expect([reply.json(), reply.headers?.get('Content-Type')]).toEqual([answer.data, 'application/json']);
  });

  it('reach all connections of a user, on all nodes, and each answers', async () => {
    const sub = `called-${encoding}`;
    const three = [
      await pair.client(pair.one, sub, encoding),
      await pair.client(pair.two, sub, encoding),
      await pair.client(pair.two, sub, encoding),
    ];
    await pair.client(pair.one, 'somebody', encoding);
    for (const [at, { client }] of three.entries()) {
      answering(client, () => (at === 2 ? { type: 'error', code: 'not_now', message: 'busy\nwith that' } : { type: 'result', data: at }));
    }
    const { body } = await pair.post(pair.one, '/api/call', { user: sub, method: 'which' });
    expect(body).toMatchObject({ nodes: 2, nodesSilent: [], workersSilent: 0 });
    expect(new Map(body.answers.map(({ connectionId, ...rest }: { connectionId: string }) => [connectionId, rest]))).toEqual(
      new Map<string, unknown>([
        [three[0]!.connectionId, { data: 0 }],
        [three[1]!.connectionId, { data: 1 }],
        [three[2]!.connectionId, { error: { code: 'not_now', message: 'busy with that' } }],
      ]),
    );
    const cli = await runCli(['call', 'which', '--user', sub, ...pair.apiOptions(pair.two)]);
    expect(JSON.parse(cli.stdout).answers).toHaveLength(3);
    expect((await pair.post(pair.one, '/api/call', { user: 'nobody-at-all', method: 'which' })).body).toEqual({
      answers: [],
      nodes: 2,
      nodesSilent: [],
      workersSilent: 0,
    });
  });

  it('reach at most callConnectionsMax connections of a user', async () => {
    const sub = `many-${encoding}`;
    for (let i = 0; i < 5; i++)
      answering((await pair.client(i % 2 === 0 ? pair.one : pair.two, sub, encoding)).client, () => ({ type: 'result', data: i }));
    const { body } = await pair.post(pair.one, '/api/call', { user: sub, method: 'which' });
    expect(body.answers.map(({ data }: { data: unknown }) => typeof data)).toEqual(['number', 'number', 'number']);
  });

  it('fail with a code: no handler, no answer in time, an answer that is too large, a connection that closes', async () => {
    const { client, connectionId } = await pair.client(pair.two, 'ann', encoding);
    answering(client, ({ method }) => {
      if (method === 'silent') return undefined;
      if (method === 'large') return { type: 'result', data: 'x'.repeat(2001) };
      if (method === 'close') return void client.socket.close();
      return { type: 'error', code: 'no_handler' };
    });
    const errorOf = async (method: string, timeoutMs?: number) =>
      (await pair.post(pair.one, '/api/call', { connectionId, method, timeoutMs })).body.answers[0].error?.code;
    expect(await errorOf('unknown')).toBe('no_handler');
    expect(await errorOf('silent', 50)).toBe('timeout');
    expect(await errorOf('large')).toBe('answer_too_large');
    const how = headers();
    how.set('Stentor-Timeout-Ms', '50');
    const late = await pair.program.request(`stentor.call.connection.${connectionId}.silent`, '', { timeout: 20_000, headers: how });
    expect(late.headers?.get('Nats-Service-Error-Code')).toBe('timeout');
    expect(await errorOf('close')).toBe('connection_closed');
  });

  it('are bounded in number, per connection and node, and others are not affected', async () => {
    const { client, connectionId } = await pair.client(pair.two, 'ann', encoding);
    const silent = Array.from({ length: 4 }, () => pair.one.running.call({ connectionId, method: 'silent', timeoutMs: 60_000 }));
    await client.until('all calls', () => client.messages.filter(({ type }) => type === 'call').length === 4);
    expect(await pair.one.running.call({ connectionId, method: 'one.more' })).toMatchObject({ answers: [{ error: { code: 'busy' } }] });
    const second = await pair.client(pair.two, 'bob', encoding);
    const more = Array.from({ length: 4 }, () =>
      pair.two.running.call({ connectionId: second.connectionId, method: 'm', timeoutMs: 60_000 }),
    );
    await second.client.until('all calls', () => second.client.messages.filter(({ type }) => type === 'call').length === 4);
    expect(await pair.two.metric('stentor_client_requests_in_flight')).toBe(8);
    const third = await pair.client(pair.two, 'eve', encoding);
    await expect(pair.one.running.send({ connectionId: third.connectionId, data: 1 })).rejects.toMatchObject({ code: 'busy' });
    await client.close();
    for (const { answers } of await Promise.all(silent)) expect(answers).toMatchObject([{ error: { code: 'connection_closed' } }]);
    expect(await pair.one.running.send({ connectionId: third.connectionId, data: 1 })).toEqual({ delivered: true });
    await second.client.close();
    await Promise.all(more);
    expect(await pair.two.metric('stentor_client_requests_in_flight')).toBe(0);
  });

  it('are bounded in bytes', async () => {
    const { client, connectionId } = await pair.client(pair.two, 'ann', encoding);
    const data = 'x'.repeat(19_000);
    const silent = Array.from({ length: 3 }, () => pair.one.running.call({ connectionId, method: 'silent', data, timeoutMs: 60_000 }));
    await client.until('all calls', () => client.messages.filter(({ type }) => type === 'call').length === 3);
    expect(await pair.one.running.call({ connectionId, method: 'one.more', data })).toMatchObject({
      answers: [{ error: { code: 'busy' } }],
    });
    await client.close();
    await Promise.all(silent);
  });

  it('can be answered only by the client that was called, once', async () => {
    const { client, connectionId } = await pair.client(pair.one, 'ann', encoding);
    const thief = await pair.client(pair.one, 'mallory', encoding);
    const answers = pair.one.running.call({ connectionId, method: 'secret' });
    const { id } = await client.next('call');
    for (let guess = 0; guess <= id + 2; guess++) thief.client.send({ type: 'result', id: guess, data: 'forged' });
    await thief.client.settle();
    expect(thief.client.messages.filter(({ type }) => type === 'error')).toEqual([]);
    client.send({ type: 'result', id, data: 'mine' });
    client.send({ type: 'result', id, data: 'again' });
    expect(await answers).toEqual({ answers: [{ connectionId, data: 'mine' }] });
    // A malformed answer has an error without an id: the client's own command with this id is another.
    client.send({ type: 'result', id: -1 });
    client.send({ type: 'error', id, code: '' });
    for (let i = 0; i < 2; i++) expect(await client.next('error')).not.toHaveProperty('id');
  });
});

it('a stream of events gets messages, and cannot be called', async () => {
  const client = new EventClient(pair.two.running.port, '/sse?topic=live.sse');
  try {
    const { connectionId } = (await client.next('connected')).data;
    await client.next('subscribed');
    expect(await pair.one.running.send({ connectionId, data: 'for it' })).toEqual({ delivered: true });
    await pair.one.running.send({ namespace: 'live', data: 'for all' });
    await client.next('message', 2);
    expect(client.ofType('message').map(({ data }) => data.data)).toEqual(['for it', 'for all']);
    expect(await pair.one.running.call({ connectionId, method: 'm' })).toMatchObject({ answers: [{ error: { code: 'no_handler' } }] });
  } finally {
    client.socket.destroy();
  }
});

describe('the SDK', () => {
  const clientOf = async (sub: string) => {
    const client = createClient({ url: pair.two.url, token: await tokenOf({ sub }) });
    await client.connect();
    return { client, connectionId: client.state.status === 'connected' ? client.state.connectionId : '' };
  };

  it('gets messages of servers, and answers calls with what a handler returns or throws', async () => {
    const { client, connectionId } = await clientOf('ann');
    const got: unknown[] = [];
    client.on('message', (message) => got.push(message));
    await new Promise<void>((resolve) => client.topic('live.sdk', { onSubscribed: () => resolve() }).subscribe(() => {}));
    await pair.post(pair.one, '/api/send', { connectionId, data: { to: 'me' } });
    await pair.post(pair.one, '/api/send', { namespace: 'live', data: 'to all' });
    await until('both', () => got.length === 2);
    expect(got).toEqual(
      expect.arrayContaining([
        { data: { to: 'me' }, namespace: undefined },
        { data: 'to all', namespace: 'live' },
      ]),
    );
    const call = async (method: string, data?: unknown) => (await pair.one.running.call({ connectionId, method, data })).answers[0];
    const stop = onCall(client, 'sum', async (numbers: number[]) => numbers.reduce((a, b) => a + b));
    onCall(client, 'fails', () => {
      throw Object.assign(new Error('not now'), { code: 'later' });
    });
    onCall(client, 'breaks', () => {
      throw new Error('oops');
    });
    onCall(client, 'large', () => 'x'.repeat(100_000));
    onCall(client, 'odd', () => () => 1);
    onCall(client, 'nothing', () => undefined);
    expect(await call('sum', [1, 2, 3])).toEqual({ connectionId, data: 6 });
    expect(await call('nothing')).toEqual({ connectionId, data: null });
    expect(await call('fails')).toEqual({ connectionId, error: { code: 'later', message: 'not now' } });
    expect(await call('breaks')).toMatchObject({ error: { code: 'handler_failed', message: 'oops' } });
    expect(await call('large')).toMatchObject({ error: { code: 'answer_too_large' } });
    expect(await call('odd')).toMatchObject({ error: { code: 'bad_value' } });
    stop();
    expect(await call('sum', [1])).toMatchObject({ error: { code: 'no_handler' } });
    expect(() => onCall(client, 'a b', () => 1)).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(client.state.status).toBe('connected');
    await client.close();
  });

  it('publishes many, each with its own outcome', async () => {
    const { client } = await clientOf('ann');
    const outcomes = await client.publishMany([
      { topic: 'chat.many', data: 1 },
      { topic: 'no topic', data: 2 },
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await client.close();
  });
});

it('does not say that a user has no connection while NATS is away', async () => {
  const own = await NodePair.start({});
  try {
    await own.client(own.two, 'ann', 'json');
    await own.nats.halt();
    await until('NATS to be away', () => !own.one.bus.connected);
    expect(code(await own.post(own.one, '/api/call', { user: 'ann', method: 'm' }))).toEqual([503, 'unavailable']);
    await own.nats.restart();
    await until('NATS to be back', () => own.one.bus.connected && own.two.bus.connected);
  } finally {
    await own.stop();
  }
});
