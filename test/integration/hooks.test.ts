import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

type Question = Record<string, unknown> & { readonly data?: { readonly n?: number; readonly text?: string } };

const NAMESPACES = {
  open: { durable: false, public: true, clientPublish: true },
  room: {
    public: true,
    clientPublish: true,
    maxPayloadBytes: 1000,
    hooks: { subscribe: 'nats:auth.subscribe', publish: 'nats:auth.publish', timeoutMs: 20_000 },
  },
  wide: { public: true, wildcards: true, hooks: { subscribe: 'nats:auth.subscribe', timeoutMs: 20_000 } },
  // Nobody answers.
  empty: { durable: false, public: true, clientPublish: true, hooks: { subscribe: 'nats:auth.nobody', publish: 'nats:auth.nobody' } },
  lax: { durable: false, public: true, hooks: { subscribe: 'nats:auth.nobody', hookFailed: { subscribe: 'allow' } } },
  slow: { durable: false, public: true, hooks: { subscribe: 'nats:auth.slow', timeoutMs: 100 } },
};

describe('hooks over NATS', () => {
  let nats: NatsServer;
  let services: NatsConnection;
  let node: TestNode;
  const served: { unsubscribe(): void }[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    services = await connect({ servers: nats.url });
    node = await TestNode.start({ 'nats.url': nats.url, namespaces: NAMESPACES });
  });
  afterEach(() => {
    for (const subscription of served.splice(0)) subscription.unsubscribe();
  });
  afterAll(async () => {
    await node?.stop();
    await services?.close();
    await nats?.stop();
  });

  /** @returns all questions that come */
  async function serve(subject: string, answer: (question: Question, message: Msg) => unknown): Promise<Question[]> {
    const questions: Question[] = [];
    const callback = async (_: unknown, message: Msg) => {
      const question = message.json<Question>();
      questions.push(question);
      const reply = await answer(question, message);
      if (reply !== undefined) message.respond(typeof reply === 'string' ? reply : JSON.stringify(reply));
    };
    served.push(services.subscribe(subject, { callback: (error, message) => void callback(error, message) }));
    await services.flush();
    return questions;
  }

  it('allow a pattern only if they say that they know it for one', async () => {
    const questions = await serve('auth.subscribe', ({ topic }) => ({ allow: true, ...(topic === 'wide.known.*' && { pattern: true }) }));
    const client = await node.connect({ encoding: 'json' });
    expect(await client.ask({ type: 'subscribe', topic: 'wide.*' })).toMatchObject({ type: 'error', code: 'hook_denied', service: true });
    expect(await client.ask({ type: 'history', topic: 'wide.*' })).toMatchObject({ type: 'error', code: 'hook_denied' });
    expect(await client.ask({ type: 'subscribe', topic: 'wide.known.*' })).toMatchObject({ type: 'subscribed' });
    expect(await client.ask({ type: 'subscribe', topic: 'wide.a' })).toMatchObject({ type: 'subscribed' });
    expect(questions.map(({ topic }) => topic)).toEqual(['wide.*', 'wide.*', 'wide.known.*', 'wide.a']);
  });

  const tokenFor = (sub: string) =>
    sign({ sub, exp: Date.now() / 1000 + 600, stentor: { subscribe: ['>'], publish: ['>'], call: [], info: { name: sub } } });
  async function connected(sub: string, on = node) {
    const client = await on.connect({ encoding: 'json', token: await tokenFor(sub) });
    const { connectionId } = await client.next('connected');
    return Object.assign(client, { connectionId });
  }

  describe('of subscribe', () => {
    it('are asked who wants which topic how, and let the client in', async () => {
      const asked = await serve('auth.subscribe', () => ({ allow: true }));
      const client = await connected('ann');
      await client.subscribe('room.a', { snapshot: true, maxRateHz: 5 });
      expect(asked).toEqual([
        {
          hook: 'subscribe',
          user: 'ann',
          info: { name: 'ann' },
          connectionId: client.connectionId,
          nodeId: node.running.nodeId,
          topic: 'room.a',
          action: 'subscribe',
          again: false,
          options: { snapshot: true, maxRateHz: 5 },
        },
      ]);
      const anonymous = await node.connect();
      await anonymous.subscribe('room.a');
      expect(asked[1]).toMatchObject({ user: null, options: {} });
      expect(asked[1]).not.toHaveProperty('info');
    });

    it('are told what a client selects, and cannot change that', async () => {
      const asked = await serve('auth.subscribe', ({ options }) => {
        const { filter } = options as { filter?: Record<string, unknown> };
        if (filter?.change !== undefined) return { allow: true, options: { filter: { other: 'x' } } };
        return filter?.team === 'a' ? { allow: true, expiresInMs: 1000 } : { allow: false, code: 'own_team_only' };
      });
      const client = await connected('ann');
      const filter = { team: 'a', kind: ['goal', 'card'] };
      expect(await client.ask({ type: 'history', topic: 'room.selected', last: 1, filter })).toMatchObject({ type: 'history' });
      expect(await client.ask({ type: 'history', topic: 'room.selected', last: 1 })).toMatchObject({ code: 'own_team_only' });
      await client.subscribe('room.selected', { filter, snapshot: true });
      const response = await fetch(
        `http://127.0.0.1:${node.running.port}/history?topic=room.selected&last=1&filter=${encodeURIComponent(JSON.stringify(filter))}`,
        { headers: { Authorization: `Bearer ${await tokenFor('ann')}` } },
      );
      expect(response.status).toBe(200);
      expect(asked.map(({ action, options }) => [action, options])).toEqual([
        ['history', { filter }],
        ['history', {}],
        ['subscribe', { filter, snapshot: true }],
        ['history', { filter }],
      ]);
      await until('the question after the answer has expired', () => asked.length === 5);
      expect(asked[4]).toMatchObject({ again: true, options: { filter, snapshot: true } });
      expect(await client.ask({ type: 'subscribe', topic: 'room.other', filter: { team: 'b' } })).toMatchObject({ code: 'own_team_only' });
      expect(await client.ask({ type: 'subscribe', topic: 'room.other', filter: { change: 'x' } })).toMatchObject({ code: 'hook_failed' });
      // Its permission expires every second, and the services of other tests would be asked about it.
      await client.close();
    });

    it('deny with a code and a text of their own, which are no mistake of the client', async () => {
      const before = await node.metric('stentor_errors_total', { code: 'hook_denied' });
      await serve('auth.subscribe', ({ topic }) =>
        topic === 'room.bare' ? { allow: false } : { allow: false, code: 'members_only', message: 'join first' },
      );
      const client = await connected('ann');
      const denied = { type: 'error', code: 'members_only', message: 'join first', retryable: false, service: true };
      expect(await client.ask({ type: 'subscribe', topic: 'room.a' })).toMatchObject(denied);
      expect(await client.ask({ type: 'subscribe', topic: 'room.bare' })).toMatchObject({ code: 'hook_denied', service: true });
      // Not even without subscribing.
      expect(await client.ask({ type: 'history', topic: 'room.a', last: 1 })).toMatchObject(denied);
      await node.publish('room.a', 1);
      expect(await client.ask({ type: 'unsubscribe', topic: 'room.a' })).toMatchObject({ code: 'not_subscribed' });
      expect(await node.metric('stentor_errors_total', { code: 'hook_denied' })).toBe(before + 3);
    });

    it('are not asked for what the token does not permit, nor by a namespace without hooks', async () => {
      const asked = await serve('auth.>', () => ({ allow: true }));
      const token = await tokenOf({ sub: 'bob', publish: [] });
      const client = await node.connect({ encoding: 'json', token });
      expect(await client.ask({ type: 'publish', topic: 'room.a', data: 1 })).toMatchObject({ code: 'forbidden' });
      await client.subscribe('open.a');
      expect(asked).toEqual([]);
    });

    it('change how the client gets the topic', async () => {
      await serve('auth.subscribe', () => ({ allow: true, options: { maxRateHz: 2, snapshot: true } }));
      await node.publish('room.changed', { n: 1 });
      const client = await connected('ann');
      const { rateHz, items } = await client.subscribe('room.changed', { maxRateHz: 50 });
      expect(rateHz).toBe(2);
      expect(items.map(([, , data]) => data)).toEqual([{ n: 1 }]);
    });

    it('are asked about reads of history and presence, too, but not about those of subscribed connections', async () => {
      const asked = await serve('auth.subscribe', () => ({ allow: true }));
      const client = await connected('ann');
      await client.get('history', { type: 'history', topic: 'room.read', last: 1 });
      await client.subscribe('room.read');
      await client.get('history', { type: 'history', topic: 'room.read', last: 1 });
      expect(asked.map(({ action }) => action)).toEqual(['history', 'subscribe']);
    });

    it.each([
      ['no service is there', 'empty.a', undefined],
      ['the answer does not come in time', 'slow.a', () => undefined],
      ['the answer is no JSON', 'slow.a', () => 'yes'],
      ['the answer does not say whether it allows', 'slow.a', () => ({ allowed: true })],
      ['the answer has a field that is misspelt', 'slow.a', () => ({ allow: true, expireInMs: 1000 })],
      ['the service answers with an error', 'slow.a', (_: Question, message: Msg) => respondError(message)],
    ])('deny if they fail: %s', async (_, topic, answer) => {
      if (answer !== undefined) await serve('auth.slow', answer);
      const client = await connected('ann');
      const failed = { type: 'error', code: 'hook_failed', retryable: true };
      expect(await client.ask({ type: 'subscribe', topic })).toMatchObject(failed);
      expect(await client.ask({ type: 'unsubscribe', topic })).toMatchObject({ code: 'not_subscribed' });
    });

    it('allow if they fail only where the config says so', async () => {
      await (await connected('ann')).subscribe('lax.a');
    });

    it('delay no other command of the connection, and no other connection', async () => {
      let answer: (reply: object) => void = () => undefined;
      const asked = await serve('auth.subscribe', ({ topic }) =>
        topic === 'room.held' ? new Promise((resolve) => (answer = resolve)) : { allow: true },
      );
      const client = await connected('ann');
      const held = client.ask({ type: 'subscribe', topic: 'room.held' });
      await until('the question', () => asked.length === 1);
      await client.subscribe('room.other');
      await client.subscribe('open.a');
      answer({ allow: true });
      expect(await held).toMatchObject({ type: 'subscribed' });
    });

    it('do not subscribe who has changed its mind meanwhile', async () => {
      const answers: ((reply: object) => void)[] = [];
      await serve('auth.subscribe', () => new Promise((resolve) => answers.push(resolve)));
      const client = await connected('ann');
      const first = client.ask({ type: 'subscribe', topic: 'room.mind' });
      await until('the question', () => answers.length === 1);
      await client.get('unsubscribed', { type: 'unsubscribe', topic: 'room.mind' });
      const second = client.ask({ type: 'subscribe', topic: 'room.mind', maxRateHz: 5 });
      await until('the second question', () => answers.length === 2);
      answers[0]?.({ allow: true });
      expect(await first).toMatchObject({ code: 'not_subscribed' });
      answers[1]?.({ allow: true });
      expect(await second).toMatchObject({ type: 'subscribed', rateHz: 5 });
    });

    it('are asked again about who has got a user while they were asked', async () => {
      const answers: ((reply: object) => void)[] = [];
      const asked = await serve('auth.subscribe', () => new Promise((resolve) => answers.push(resolve)));
      const client = await node.connect();
      const answer = client.ask({ type: 'subscribe', topic: 'room.who' });
      await until('the question', () => answers.length === 1);
      await client.get('refreshed', { type: 'refresh', token: await tokenFor('mallory') });
      answers[0]?.({ allow: true });
      await until('the second question', () => answers.length === 2);
      answers[1]?.({ allow: false, code: 'banned' });
      expect(await answer).toMatchObject({ code: 'banned' });
      expect(asked.map(({ user }) => user)).toEqual([null, 'mallory']);
    });

    it('keep an answer for as long as they say, for the same user, topic and options', async () => {
      const asked = await serve('auth.subscribe', ({ topic }) => ({ allow: true, ...(topic !== 'room.anew' && { cacheMs: 60_000 }) }));
      for (let i = 0; i < 3; i++) {
        const client = await connected('cached');
        await client.subscribe('room.kept');
        await client.subscribe('room.anew');
      }
      await (await connected('cached')).subscribe('room.kept', { maxRateHz: 5 });
      await (await connected('other')).subscribe('room.kept');
      const of = (wanted: string) => asked.filter(({ topic }) => topic === wanted).length;
      expect(of('room.kept')).toBe(3);
      expect(of('room.anew')).toBe(3);
    });

    it('are asked again when their answer expires, and can end the subscription then', async () => {
      let again = 0;
      const asked = await serve('auth.subscribe', (question) => {
        if (question.again === false) return { allow: true, expiresInMs: 1000, cacheMs: 60_000 };
        return ++again === 1 ? { allow: true, expiresInMs: 1000 } : { allow: false, code: 'left', message: 'no longer a member' };
      });
      const client = await connected('ann');
      await client.subscribe('room.expires');
      const ended = await client.next('error');
      expect(ended).toMatchObject({ code: 'left', topic: 'room.expires', service: true, retryable: false });
      expect(ended.id).toBeUndefined();
      expect(asked.filter(({ topic }) => topic === 'room.expires').map(({ again }) => again)).toEqual([false, true, true]);
      expect(await client.ask({ type: 'unsubscribe', topic: 'room.expires' })).toMatchObject({ code: 'not_subscribed' });
    });

    it('reach an application that uses the SDK with their code', async () => {
      await serve('auth.subscribe', () => ({ allow: false, code: 'rate_limited', message: 'tomorrow' }));
      const client = createClient({ url: node.url, token: await tokenFor('ann') });
      try {
        const error = await new Promise((resolve) => client.topic('room.sdk', { onError: resolve }).subscribe(() => undefined));
        expect(error).toMatchObject({ code: 'rate_limited', message: 'rate_limited: tomorrow', retryable: false });
      } finally {
        await client.close();
      }
    });
  });

  describe('of publish', () => {
    const texts = (client: { messages: readonly unknown[] }) =>
      (client.messages as { type: string; items?: [number, null, unknown][] }[])
        .filter(({ type }) => type === 'batch')
        .flatMap(({ items = [] }) => items.map(([, , data]) => data));

    it('are asked what is published, and may change it, deny it, or leave it alone', async () => {
      await serve('auth.subscribe', () => ({ allow: true }));
      const asked = await serve('auth.publish', ({ data }) => {
        if (data?.text === 'bad') return { allow: false, code: 'moderated', message: 'mind your words' };
        return data?.text === 'damn' ? { allow: true, data: { text: '****' } } : { allow: true };
      });
      const client = await connected('ann');
      await client.subscribe('room.words');
      const say = (text: string) => client.ask({ type: 'publish', topic: 'room.words', data: { text }, idempotencyKey: `say-${text}` });
      expect(await say('hello')).toMatchObject({ type: 'published' });
      expect(await say('damn')).toMatchObject({ type: 'published' });
      expect(await say('bad')).toMatchObject({ code: 'moderated', message: 'mind your words', service: true });
      await until('both', () => texts(client).length === 2);
      expect(texts(client)).toEqual([{ text: 'hello' }, { text: '****' }]);
      expect(asked[0]).toEqual({
        hook: 'publish',
        user: 'ann',
        info: { name: 'ann' },
        connectionId: client.connectionId,
        nodeId: node.running.nodeId,
        topic: 'room.words',
        key: null,
        data: { text: 'hello' },
        idempotencyKey: 'say-hello',
      });
    });

    it('keep publishes of a connection to a topic in order, and hold up no others', async () => {
      const answers: ((reply: object) => void)[] = [];
      await serve('auth.subscribe', () => ({ allow: true }));
      await serve('auth.publish', ({ topic, data }) =>
        topic === 'room.order' && data?.n !== undefined && data.n < 3 ? new Promise((resolve) => answers.push(resolve)) : { allow: true },
      );
      const client = await connected('ann');
      const other = await connected('bob');
      await client.subscribe('room.order');
      const publishes = [0, 1, 2, 3, 4].map((n) => client.ask({ type: 'publish', topic: 'room.order', data: { n } }));
      await until('all questions, asked side by side', () => answers.length === 3);
      // Another topic, and another connection.
      expect(await client.ask({ type: 'publish', topic: 'room.aside', data: 1 })).toMatchObject({ type: 'published' });
      expect(await other.ask({ type: 'publish', topic: 'room.order', data: { n: 9 } })).toMatchObject({ type: 'published' });
      answers[2]?.({ allow: true });
      answers[1]?.({ allow: false });
      answers[0]?.({ allow: true });
      const outcomes = await Promise.all(publishes);
      expect(outcomes.map(({ type }) => type)).toEqual(['published', 'error', 'published', 'published', 'published']);
      await until('all of them', () => texts(client).length === 5);
      expect(texts(client)).toEqual([9, 0, 2, 3, 4].map((n) => ({ n })));
    });

    it('fail if their data does not fit the namespace, and if no service answers', async () => {
      await serve('auth.publish', () => ({ allow: true, data: 'x'.repeat(2000) }));
      const client = await connected('ann');
      const failed = { type: 'error', code: 'hook_failed', retryable: true };
      expect(await client.ask({ type: 'publish', topic: 'room.large', data: 1 })).toMatchObject(failed);
      expect(await client.ask({ type: 'publish', topic: 'empty.a', data: 1 })).toMatchObject(failed);
    });

    it('are not asked about what the rules refuse, nor about what producers publish', async () => {
      const asked = await serve('auth.publish', () => ({ allow: false }));
      const client = await connected('ann');
      expect(await client.ask({ type: 'publish', topic: 'room.a', data: 'x'.repeat(2000) })).toMatchObject({ code: 'message_too_big' });
      await node.publish('room.a', 1);
      await node.running.publish({ topic: 'room.a', data: 1 });
      expect(asked).toEqual([]);
    });

    it('keep a permission for cacheMs, for all data', async () => {
      const asked = await serve('auth.publish', () => ({ allow: true, cacheMs: 60_000 }));
      const client = await connected('kept');
      for (let n = 0; n < 3; n++) await client.get('published', { type: 'publish', topic: 'room.often', data: { n } });
      expect(asked).toHaveLength(1);
    });

    it('reject in the SDK with their code', async () => {
      await serve('auth.publish', () => ({ allow: false, code: 'rate_limited', message: 'tomorrow' }));
      const client = createClient({ url: node.url, token: await tokenFor('ann') });
      try {
        await expect(client.publish('room.sdk', 1)).rejects.toMatchObject({ code: 'rate_limited', retryable: false });
      } finally {
        await client.close();
      }
    });
  });

  describe('at their bound', () => {
    let small: TestNode;
    beforeAll(async () => {
      small = await TestNode.start({
        'nats.url': nats.url,
        namespaces: NAMESPACES,
        'tuning.hooks.askedMax': 2,
        'tuning.hooks.askedPerConnectionMax': 1,
      });
    });
    afterAll(() => small?.stop());

    it('refuse with busy what is more, until a question is answered', async () => {
      const answers: ((reply: object) => void)[] = [];
      await serve('auth.subscribe', () => new Promise((resolve) => answers.push(resolve)));
      const [ann, bob, eve] = [await connected('ann', small), await connected('bob', small), await connected('eve', small)];
      const busy = { type: 'error', code: 'busy', retryable: true, retryAfterMs: 1000 };
      const first = ann.ask({ type: 'subscribe', topic: 'room.a' });
      await until('a question', () => answers.length === 1);
      expect(await ann.ask({ type: 'subscribe', topic: 'room.b' })).toMatchObject(busy);
      const second = bob.ask({ type: 'subscribe', topic: 'room.a' });
      await until('another question', () => answers.length === 2);
      expect(await eve.ask({ type: 'subscribe', topic: 'room.a' })).toMatchObject(busy);
      // What has no hook is served.
      await eve.subscribe('open.a');
      for (const answer of answers.splice(0)) answer({ allow: true });
      expect(await Promise.all([first, second])).toMatchObject([{ type: 'subscribed' }, { type: 'subscribed' }]);
      const third = eve.ask({ type: 'subscribe', topic: 'room.a' });
      await until('the next question', () => answers.length === 1);
      answers[0]?.({ allow: true });
      expect(await third).toMatchObject({ type: 'subscribed' });
      expect(await small.metric('stentor_hook_seconds_count', { hook: 'subscribe', result: 'busy' })).toBe(1);
    });
  });

  it('are asked so often a second about one user, on all its connections, and not less about others', async () => {
    const settings = { 'nats.url': nats.url, namespaces: NAMESPACES, 'tuning.hooks.askedPerUserPerSecondMax': 5 };
    const node = await TestNode.start(settings);
    try {
      const asked = await serve('auth.subscribe', () => ({ allow: true }));
      const anns = [await connected('ann', node), await connected('ann', node)];
      const ask = (at: number) => anns[at % 2]!.ask({ type: 'subscribe', topic: `room.t${at}` });
      // Many at once, so that whatever the time in between, most are above the rate.
      const answers = await Promise.all(Array.from({ length: 90 }, (_, at) => ask(at)));
      const refused = answers.filter(({ type }) => type === 'error');
      expect(refused.length).toBeGreaterThan(0);
      for (const error of refused) expect(error).toMatchObject({ code: 'busy', retryable: true, retryAfterMs: expect.any(Number) });
      expect(asked).toHaveLength(90 - refused.length);
      expect(await node.metric('stentor_hook_seconds_count', { hook: 'subscribe', result: 'busy' })).toBe(refused.length);
      const others = [await connected('bob', node), await node.connect(), await node.connect()];
      for (const other of others) for (const topic of ['room.a', 'room.b']) await other.subscribe(topic);
    } finally {
      await node.stop();
    }
  });

  describe('of connections', () => {
    let guarded: TestNode;
    beforeAll(async () => {
      guarded = await TestNode.start({
        'nats.url': nats.url,
        namespaces: NAMESPACES,
        'hooks.connect': 'nats:auth.connect',
        'hooks.disconnect': 'nats:auth.gone',
        'hooks.timeoutMs': 20_000,
      });
    });
    afterAll(() => guarded?.stop());

    it('let in with a token and without, and are told when the connection has ended', async () => {
      const asked = await serve('auth.connect', () => ({ allow: true }));
      const gone = await serve('auth.gone', () => undefined);
      const ann = await connected('ann', guarded);
      const { connectionId } = ann;
      const anonymous = await guarded.connect();
      await anonymous.subscribe('open.a');
      const greeting = await guarded.connect();
      await greeting.get('connected', { type: 'connect' });
      await greeting.subscribe('open.a');
      expect(asked.map(({ user }) => user)).toEqual(['ann', null, null]);
      expect(asked[0]).toEqual({
        hook: 'connect',
        user: 'ann',
        info: { name: 'ann' },
        connectionId,
        nodeId: guarded.running.nodeId,
        again: false,
      });
      ann.socket.close(1000);
      await until('the end', () => gone.length === 1);
      expect(gone[0]).toMatchObject({ hook: 'disconnect', user: 'ann', connectionId, code: 1000 });
    });

    it('hold every command of an anonymous client back until they have answered, also in an array', async () => {
      const answers: ((reply: object) => void)[] = [];
      await serve('auth.connect', () => new Promise((resolve) => answers.push(resolve)));
      const client = await guarded.connect();
      client.send([
        { type: 'subscribe', id: 1, topic: 'open.a' },
        { type: 'subscribe', id: 2, topic: 'open.b' },
      ]);
      client.send({ type: 'subscribe', id: 3, topic: 'open.c' });
      await until('the question', () => answers.length === 1);
      expect(client.messages).toEqual([]);
      answers[0]?.({ allow: true });
      for (const id of [1, 2, 3]) await client.next('subscribed', (message) => message.id === id);
      expect(answers).toHaveLength(1);
    });

    it.each([
      ['in the upgrade', true],
      ['without a token', false],
    ])('deny with their own code, and close with 4001: %s', async (_, withToken) => {
      await serve('auth.connect', () => ({ allow: false, code: 'banned', message: 'until Monday' }));
      const gone = await serve('auth.gone', () => undefined);
      const client = await guarded.connect({ encoding: 'json', ...(withToken && { token: await tokenFor('ann') }) });
      if (!withToken) client.send({ type: 'subscribe', id: 1, topic: 'open.a' });
      expect(await client.next('error')).toMatchObject({ code: 'banned', message: 'until Monday', service: true });
      expect(await client.closed).toMatchObject({ code: 4001 });
      // The disconnect hook is not told about it, because it was never accepted.
      await services.flush();
      expect(gone).toEqual([]);
    });

    it('close with 4100 if they fail: the client may come back', async () => {
      const client = await guarded.connect({ encoding: 'json', token: await tokenFor('ann') });
      expect(await client.next('error')).toMatchObject({ code: 'hook_failed', retryable: true });
      expect(await client.closed).toMatchObject({ code: 4100 });
    });

    it('are asked again when their answer has expired, and close the connection when they deny', async () => {
      let banned = false;
      const asked = await serve('auth.connect', ({ user }) => {
        if (user === 'carl') return { allow: true, expiresInMs: 3_600_000 };
        return banned ? { allow: false, code: 'banned', message: 'until Monday' } : { allow: true, expiresInMs: 1000 };
      });
      const [ann, carl, anonymous] = [await connected('ann', guarded), await connected('carl', guarded), await guarded.connect()];
      await anonymous.get('connected', { type: 'connect' });
      const againOf = (user: string | null) => asked.filter((question) => question.user === user && question.again === true).length;
      await until('the second questions', () => againOf('ann') >= 2 && againOf(null) >= 2);
      await ann.subscribe('open.a');
      banned = true;
      for (const client of [ann, anonymous]) {
        expect(await client.next('error')).toMatchObject({ code: 'banned', message: 'until Monday', service: true });
        expect(await client.closed).toMatchObject({ code: 4001 });
      }
      expect(againOf('carl')).toBe(0);
      await carl.subscribe('open.a');
    });

    it('close with 4100 if they fail when they are asked again', async () => {
      let answers = 0;
      await serve('auth.connect', () => (answers++ === 0 ? { allow: true, expiresInMs: 1000 } : { allow: 'perhaps' }));
      const client = await connected('ann', guarded);
      expect(await client.next('error')).toMatchObject({ code: 'hook_failed', retryable: true });
      expect(await client.closed).toMatchObject({ code: 4100 });
    });

    it('are asked about an anonymous client that becomes a user', async () => {
      await serve('auth.connect', ({ user }) => (user === 'mallory' ? { allow: false, code: 'banned' } : { allow: true }));
      const client = await guarded.connect();
      await client.get('connected', { type: 'connect' });
      expect(await client.ask({ type: 'refresh', token: await tokenFor('mallory') })).toMatchObject({ code: 'banned' });
      expect(await client.ask({ type: 'publish', topic: 'open.a', data: 1 })).toMatchObject({ code: 'unauthorized' });
      await client.get('refreshed', { type: 'refresh', token: await tokenFor('ann') });
    });
  });
});

function respondError(message: Msg): undefined {
  const all = headers();
  all.set('Nats-Service-Error-Code', '500');
  all.set('Nats-Service-Error', 'database is away');
  message.respond('{"allow":true}', { headers: all });
}
