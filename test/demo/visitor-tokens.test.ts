import { decodeJwt, jwtVerify } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { DEMO_NAMESPACES, offersChat } from '../../src/demo/chat-settings.ts';
import { VisitorTokens } from '../../src/demo/visitor-tokens.ts';
import { TestNode } from '../support/node.ts';
import { SECRET, secretKey } from '../support/tokens.ts';

const AUTH = { issuer: '', audience: '' };

async function ask(name: string, tokens = new VisitorTokens(SECRET, AUTH)) {
  const { status, body } = await tokens.answer(`name=${encodeURIComponent(name)}`);
  return { status, ...(JSON.parse(body) as { token?: string; user?: string; error?: { code: string } }) };
}

describe('VisitorTokens', () => {
  it('gives a token of a day, for the namespaces of the chat only', async () => {
    const { token = '', user } = await ask(' Zoë  '.trimEnd());
    const { payload, protectedHeader } = await jwtVerify(token, secretKey());
    expect(user).toMatch(/^Zoë-[a-z2-9]{4}$/);
    expect(protectedHeader).toEqual({ alg: 'HS256', kid: 'demo' });
    expect(payload).toMatchObject({
      sub: user,
      stentor: { subscribe: ['chat.*', 'typing.*'], publish: ['chat.*', 'typing.*', 'user.*'], call: [] },
    });
    expect((payload.exp as number) - (payload.iat as number)).toBe(86_400);
  });

  it('sets the issuer and audience that the config requires', async () => {
    const { token = '' } = await ask('Ann', new VisitorTokens(SECRET, { issuer: 'me', audience: 'you' }));
    expect(decodeJwt(token)).toMatchObject({ iss: 'me', aud: 'you' });
  });

  it('makes two users of two visitors with one name', async () => {
    const users = await Promise.all(Array.from({ length: 10 }, async () => (await ask('Ann')).user));
    expect(new Set(users).size).toBe(10);
  });

  it.each(['Ann', 'ann.b', "O'Neil", 'Jean-Luc P', 'Łukasz', '山田'])('accepts the name %j', async (name) => {
    expect((await ask(name)).user).toMatch(new RegExp(`^${name}-`));
  });

  it.each(['', ' ', '-', 'a--b', '<b>', 'a\nb', 'a/b', '\u202eAnn', 'x'.repeat(25), '山'.repeat(5)])(
    'refuses the name %j',
    async (name) => {
      expect(await ask(name)).toMatchObject({ status: '400 Bad Request', error: { code: 'bad_name' } });
    },
  );

  it('gives at most 20 a second', async () => {
    let nowMs = 1_000_500;
    const tokens = new VisitorTokens(SECRET, AUTH, () => nowMs);
    const statuses = async () => (await Promise.all(Array.from({ length: 25 }, () => ask('Ann', tokens)))).map(({ status }) => status);
    expect((await statuses()).filter((status) => status === '200 OK')).toHaveLength(20);
    expect(await ask('Ann', tokens)).toMatchObject({ status: '429 Too Many Requests', error: { code: 'too_many_requests' } });
    nowMs += 500;
    expect((await statuses()).filter((status) => status === '200 OK')).toHaveLength(20);
  });
});

describe('offersChat', () => {
  const offers = (flags: Record<string, unknown>) => offersChat(loadConfig({ env: {}, flags }).config);

  it('says whether the namespaces suit', () => {
    expect(offers({ namespaces: DEMO_NAMESPACES })).toBe(true);
    expect(offers({})).toBe(false);
    for (const name of ['chat', 'typing', 'user'] as const) {
      expect(offers({ namespaces: { ...DEMO_NAMESPACES, [name]: { ...DEMO_NAMESPACES[name], clientPublish: false } } })).toBe(false);
    }
  });
});

describe('GET /chat/token', () => {
  let node: TestNode | undefined;
  afterEach(() => node?.stop());

  const get = async (path: string) => fetch(`http://127.0.0.1:${node?.running.port}${path}`);

  it.each([undefined, { feeds: false }])('is not there without a secret for visitors (demo: %j)', async (demo) => {
    node = await TestNode.start({}, demo === undefined ? {} : { demo });
    expect((await get('/chat/token?name=Ann')).status).toBe(404);
  });

  it('answers with a token that the node accepts', async () => {
    const settings = { namespaces: DEMO_NAMESPACES, 'auth.keys': [{ kid: 'demo', alg: 'HS256', secret: SECRET }] };
    node = await TestNode.start(settings, { demo: { feeds: false, visitorSecret: SECRET } });
    const response = await get('/chat/token?name=Ann');
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const { token, user } = (await response.json()) as { token: string; user: string };
    const client = await node.connect({ encoding: 'json' });
    expect(await client.get('connected', { type: 'connect', token })).toMatchObject({ user, userTopic: `user.${user}` });
    expect((await get('/chat/token')).status).toBe(400);
    expect((await get('/chat/token?name=%ff%fe')).status).toBe(400);
  });

  it('survives many who ask and go away at once', async () => {
    node = await TestNode.start({ namespaces: DEMO_NAMESPACES }, { demo: { feeds: false, visitorSecret: SECRET } });
    const asked = Array.from({ length: 200 }, async (_, n) => {
      const signal = n % 2 === 0 ? AbortSignal.timeout(1) : null;
      return fetch(`http://127.0.0.1:${node?.running.port}/chat/token?name=Ann`, { signal }).then(
        ({ status }) => status,
        () => 'aborted',
      );
    });
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => ![200, 429, 'aborted'].includes(outcome))).toEqual([]);
    expect(outcomes.filter((outcome) => outcome === 200).length).toBeGreaterThan(0);
    expect((await get('/chat')).status).toBe(200);
  });
});
