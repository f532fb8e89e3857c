import { writeFileSync } from 'node:fs';
import { exportSPKI, generateKeyPair, type JWK, type JWTPayload } from 'jose';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tempFile } from '../config/helpers.ts';
import { KeySetServer, signingPair } from '../support/key-set-server.ts';
import { TestNode } from '../support/node.ts';
import { HS256_KEYS, SECRET, secretKey, sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

const nodes: TestNode[] = [];
const keySets: KeySetServer[] = [];

async function serve(...keys: JWK[]): Promise<KeySetServer> {
  const server = await KeySetServer.start(...keys);
  keySets.push(server);
  return server;
}

async function start(auth: Record<string, unknown>): Promise<TestNode> {
  const settings = Object.fromEntries(
    Object.entries({ keys: [], ...auth }).map(([name, value]) => [
      name === 'jwksCooldownMs' ? `tuning.auth.${name}` : `auth.${name}`,
      value,
    ]),
  );
  const node = await TestNode.start(settings);
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  for (const keySet of keySets.splice(0)) await keySet.stop();
});

function claims(more: JWTPayload = {}): JWTPayload {
  return { sub: 'alice', exp: Date.now() / 1000 + 600, ...more };
}

/** What a node says to a token: the user, or an error's code. The token comes by the first message, which answers with a code. */
async function verdict(node: TestNode, token: string): Promise<string> {
  const client = await node.connect({ encoding: 'msgpack' });
  const answer = await client.ask({ type: 'connect', token });
  await client.close();
  if (answer.type === 'connected') return answer.user ?? 'anonymous';
  return answer.type === 'error' ? answer.code : answer.type;
}

describe('a static key', () => {
  const pairs = new Map<string, KeyPair>();
  beforeAll(async () => {
    for (const alg of ['RS256', 'ES256', 'EdDSA']) pairs.set(alg, await generateKeyPair(alg, { extractable: true }));
  });
  const pairOf = (alg: string) => pairs.get(alg) as KeyPair;

  it('checks HS256', async () => {
    const node = await start({ keys: HS256_KEYS });
    expect(await verdict(node, await sign(claims({ sub: 'bob' })))).toBe('bob');
    expect(await verdict(node, await sign(claims(), secretKey(`${SECRET}x`)))).toBe('unauthorized');
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('checks %s, from PEM text and from a PEM file', async (alg) => {
    const pem = await exportSPKI(pairOf(alg).publicKey);
    const file = tempFile('key.pem', '');
    writeFileSync(file, pem);
    const token = await sign(claims({ sub: 'bob' }), pairOf(alg).privateKey, { alg });
    const forged = await sign(claims(), (await generateKeyPair(alg)).privateKey, { alg });
    for (const key of [{ publicKeyPem: pem }, { publicKeyFile: file }]) {
      const node = await start({ keys: [{ alg, ...key }] });
      expect(await verdict(node, token)).toBe('bob');
      expect(await verdict(node, forged)).toBe('unauthorized');
      expect(await verdict(node, await tokenOf())).toBe('unauthorized');
    }
  });

  it('is never used with another algorithm: an HS256 token signed with the RSA public key is refused', async () => {
    const pem = await exportSPKI(pairOf('RS256').publicKey);
    const forgeries = await Promise.all([pem, pem.trim(), `${pem}\n`].map((text) => sign(claims(), secretKey(text), { alg: 'HS256' })));
    const rsaOnly = await start({ keys: [{ alg: 'RS256', publicKeyPem: pem, kid: 'rsa' }] });
    const mixed = await start({ keys: [{ alg: 'RS256', publicKeyPem: pem }, ...HS256_KEYS] });
    for (const forgery of forgeries) {
      expect(await verdict(rsaOnly, forgery)).toBe('unauthorized');
      expect(await verdict(mixed, forgery)).toBe('unauthorized');
    }
    const named = await sign(claims(), secretKey(pem), { alg: 'HS256', kid: 'rsa' });
    expect(await verdict(rsaOnly, named)).toBe('unauthorized');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}.`;
    expect(await verdict(mixed, unsigned)).toBe('unauthorized');
  });

  it('is found by its kid, and a token without a kid is tried with every key of its algorithm', async () => {
    const [first, second] = ['first-secret-of-thirty-two-chars!!', 'second-secret-of-thirty-two-chars!'] as const;
    const node = await start({
      keys: [
        { alg: 'HS256', kid: 'first', secret: first },
        { alg: 'HS256', kid: 'second', secret: second },
      ],
    });
    const signedBySecond = (header: object) => sign(claims(), secretKey(second), header);
    expect(await verdict(node, await signedBySecond({ kid: 'second' }))).toBe('alice');
    expect(await verdict(node, await signedBySecond({}))).toBe('alice');
    expect(await verdict(node, await signedBySecond({ kid: 'first' }))).toBe('unauthorized');
    expect(await verdict(node, await signedBySecond({ kid: 'third' }))).toBe('unauthorized');
  });
});

describe('claims', () => {
  it('must have exp and sub, in their forms', async () => {
    const node = await start({ keys: HS256_KEYS });
    const { exp } = claims();
    expect(await verdict(node, await sign({ exp: exp as number }))).toBe('unauthorized');
    expect(await verdict(node, await sign({ sub: 'alice' }))).toBe('unauthorized');
    expect(await verdict(node, await sign(claims({ exp: 'soon' as never })))).toBe('unauthorized');
    for (const sub of [42, '', ['alice'], { name: 'alice' }, null, 'a'.repeat(257)]) {
      expect(await verdict(node, await sign(claims({ sub: sub as never }))), JSON.stringify(sub)).toBe('unauthorized');
    }
    expect(await verdict(node, await sign(claims({ sub: 'größer: %0d' })))).toBe('größer: %0d');
    // It would be a line of a header on NATS and a line of a log, if anything there forgot to escape it.
    expect(await verdict(node, await sign(claims({ sub: 'größer\r\nStentor-User: root' })))).toBe('unauthorized');
  });

  it('expire, within the clock tolerance', async () => {
    const node = await start({ keys: HS256_KEYS, clockToleranceMs: 5000 });
    expect(await verdict(node, await tokenOf({ expiresInMs: -10_000 }))).toBe('token_expired');
    const strict = await start({ keys: HS256_KEYS, clockToleranceMs: 0 });
    expect(await verdict(strict, await tokenOf({ expiresInMs: -2000 }))).toBe('token_expired');
    expect(await verdict(node, await sign(claims({ nbf: Date.now() / 1000 + 60 })))).toBe('unauthorized');
    expect(await verdict(node, await sign(claims({ nbf: Date.now() / 1000 - 60 })))).toBe('alice');
  });

  it('have the issuer and the audience that the config asks for', async () => {
    const node = await start({ keys: HS256_KEYS, issuer: 'https://id.example', audience: 'stentor' });
    const good = { iss: 'https://id.example', aud: 'stentor' };
    expect(await verdict(node, await sign(claims(good)))).toBe('alice');
    expect(await verdict(node, await sign(claims({ ...good, aud: ['other', 'stentor'] })))).toBe('alice');
    expect(await verdict(node, await sign(claims({ ...good, iss: 'https://id.example.evil' })))).toBe('unauthorized');
    expect(await verdict(node, await sign(claims({ ...good, aud: 'other' })))).toBe('unauthorized');
    expect(await verdict(node, await sign(claims({ iss: good.iss })))).toBe('unauthorized');
    expect(await verdict(node, await sign(claims({ aud: good.aud })))).toBe('unauthorized');
  });

  it('have `stentor` in its form, or not at all', async () => {
    const node = await start({ keys: HS256_KEYS });
    for (const stentor of ['all', [], { subscribe: 'scores.>' }, { publish: [1] }, { call: ['a'.repeat(201)] }]) {
      expect(await verdict(node, await sign(claims({ stentor }))), JSON.stringify(stentor)).toBe('unauthorized');
    }
    expect(await verdict(node, await sign(claims()))).toBe('alice');
    expect(await verdict(node, await sign(claims({ stentor: { subscribe: ['a.>'], later: true } })))).toBe('alice');
  });
});

describe('a key set by URL', () => {
  it('checks RS256, ES256 and EdDSA tokens, with one fetch for many', async () => {
    const pairs = await Promise.all(['RS256', 'ES256', 'EdDSA'].map((alg) => signingPair(alg, alg)));
    const keySet = await serve(...pairs.map(({ jwk }) => jwk));
    const node = await start({ jwksUrl: keySet.url });
    for (const { token } of [...pairs, ...pairs]) expect(await verdict(node, await token())).toBe('alice');
    expect(keySet.fetches).toBe(1);
    expect(await node.metric('stentor_jwks_fetches_total', { result: 'ok' })).toBe(1);
    const ageSeconds = await node.metric('stentor_jwks_age_seconds');
    expect(ageSeconds).toBeGreaterThan(0);
    expect(ageSeconds).toBeLessThan(600);
  });

  it('is used with the algorithms that the config names only', async () => {
    const [rsa, ec] = await Promise.all([signingPair('RS256', 'rsa'), signingPair('ES256', 'ec')]);
    const keySet = await serve(rsa.jwk, ec.jwk, { kty: 'oct', kid: 'oct', k: Buffer.from(SECRET).toString('base64url') });
    const node = await start({ jwksUrl: keySet.url, jwksAlgorithms: ['ES256'] });
    expect(await verdict(node, await ec.token())).toBe('alice');
    expect(await verdict(node, await rsa.token())).toBe('unauthorized');
    expect(await verdict(node, await sign(claims(), secretKey(), { kid: 'oct' }))).toBe('unauthorized');
  });

  it('may rotate: a new kid is fetched at once; soon after that, a client with another new one is told to come back', async () => {
    const [old, fresh, fresher] = await Promise.all(['old', 'fresh', 'fresher'].map((kid) => signingPair('ES256', kid)));
    const keySet = await serve(old!.jwk);
    const node = await start({ jwksUrl: keySet.url });
    expect(await verdict(node, await old!.token())).toBe('alice');
    keySet.keys = [old!.jwk, fresh!.jwk];
    expect(await verdict(node, await fresh!.token())).toBe('alice');
    expect(await verdict(node, await old!.token())).toBe('alice');
    expect(keySet.fetches).toBe(2);
    keySet.keys = [fresh!.jwk, fresher!.jwk];
    const client = await node.connect();
    const token = await fresher!.token({ iat: Math.floor(Date.now() / 1000) });
    expect(await client.ask({ type: 'connect', token })).toMatchObject({ code: 'unavailable', retryable: true });
    expect(await client.closed).toMatchObject({ code: 4100 });
  });

  it('is fetched again for a new kid when the cooldown is over', async () => {
    const [old, fresh, unknown] = await Promise.all(['old', 'fresh', 'unknown'].map((kid) => signingPair('ES256', kid)));
    const keySet = await serve(old!.jwk);
    const node = await start({ jwksUrl: keySet.url, jwksCooldownMs: 1000 });
    expect(await verdict(node, await unknown!.token())).toBe('unauthorized');
    keySet.keys = [old!.jwk, fresh!.jwk];
    await until('the new key', async () => (await verdict(node, await fresh!.token())) === 'alice');
    expect(keySet.fetches).toBe(3);
  });

  it('that cannot be fetched makes tokens fail as unavailable, while static keys still work', async () => {
    const keySet = await serve();
    const { url } = keySet;
    await keySet.stop();
    const node = await start({ jwksUrl: url, keys: HS256_KEYS });
    const { token } = await signingPair('ES256', 'k');
    const client = await node.connect();
    expect(await client.ask({ type: 'connect', token: await token() })).toMatchObject({ code: 'unavailable', retryable: true });
    expect(await client.closed).toMatchObject({ code: 4100 });
    expect(await verdict(node, await tokenOf())).toBe('alice');
  });

  it('that answers nonsense makes tokens fail as unavailable', async () => {
    const keySet = await serve('no key' as never);
    const node = await start({ jwksUrl: keySet.url });
    const { token } = await signingPair('ES256', 'k');
    expect(await verdict(node, await token())).toBe('unavailable');
  });

  it('that becomes unreachable does not disconnect its clients', async () => {
    const pair = await signingPair('EdDSA', 'k');
    const keySet = await serve(pair.jwk);
    const node = await start({ jwksUrl: keySet.url, jwksCooldownMs: 1000 });
    const client = await node.connect({ encoding: 'json', token: await pair.token() });
    await client.next('connected');
    await keySet.stop();
    await client.subscribe('scores.a');
    expect(await client.ask({ type: 'refresh', token: await pair.token() })).toMatchObject({ type: 'refreshed' });
  });
});
