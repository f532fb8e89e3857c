import { generateKeyPairSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { exportJWK, type JWK } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { KeySetServer, type SigningPair, signingPair } from '../support/key-set-server.ts';
import { SECRET, secretKey, sign } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;

interface SetUp {
  readonly server: KeySetServer;
  readonly log: string[];
  readonly fetched: ('ok' | 'failed')[];
  /** Moves the clock of the key set's ages and pauses; its timers are real. */
  readonly clock: { nowMs: number };
  readonly authenticator: Authenticator;
  /** The user, or the code of the error. */
  verdict(token: string | Promise<string>): Promise<string>;
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(...keys: readonly JWK[]): Promise<KeySetServer> {
  const server = await KeySetServer.start(...keys);
  ends.push(() => server.stop());
  return server;
}

/** @param auth over the defaults; ages and pauses may be shorter here than a configuration may set them */
async function setUp(server: KeySetServer, auth: Record<string, unknown> = {}): Promise<SetUp> {
  const { config } = loadConfig({ env: {}, flags: { 'auth.jwksUrl': server.url } });
  const log: string[] = [];
  const fetched: ('ok' | 'failed')[] = [];
  const clock = { nowMs: 1000 };
  const authenticator = await Authenticator.create({
    auth: { ...config.auth, ...config.tuning.auth, ...auth },
    logger: createLogger({ level: 'info', pretty: false }, { write: (line) => void log.push(JSON.parse(line).msg) }),
    onFetch: (result) => fetched.push(result),
    nowMs: () => clock.nowMs,
  });
  ends.push(() => authenticator.stop());
  const verdict = async (token: string | Promise<string>) => {
    try {
      return (await authenticator.verify(await token)).user ?? 'anonymous';
    } catch (error) {
      if (error instanceof ProtocolError) return error.code;
      throw error;
    }
  };
  return { server, log, fetched, clock, authenticator, verdict };
}

const without = ({ jwk }: SigningPair, ...names: string[]): JWK =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name))) as JWK;

describe('a key set with keys that are alike', () => {
  it('tries each key of one kid', async () => {
    const [a, b, stranger] = await Promise.all(['k', 'k', 'k'].map((kid) => signingPair('ES256', kid)));
    const { verdict } = await setUp(await serve(a!.jwk, b!.jwk));
    for (const pair of [a!, b!]) expect(await verdict(pair.token())).toBe('alice');
    expect(await verdict(stranger!.token())).toBe('unauthorized');
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('tries each key that has no kid, for any kid of the token (%s)', async (alg) => {
    const [a, b, stranger] = await Promise.all([signingPair(alg), signingPair(alg), signingPair(alg)]);
    const { verdict } = await setUp(await serve(a.jwk, b.jwk));
    for (const pair of [a, b]) {
      expect(await verdict(pair.token())).toBe('alice');
      expect(await verdict(pair.token({}, { kid: 'whatever' }))).toBe('alice');
    }
    expect(await verdict(stranger.token())).toBe('unauthorized');
  });

  it('tries every key for a token without a kid, and only the named one for a token with a kid', async () => {
    const [a, b] = await Promise.all([signingPair('ES256', 'a'), signingPair('ES256', 'b')]);
    const { verdict } = await setUp(await serve(a.jwk, b.jwk));
    expect(await verdict(b.token({}, {}))).toBe('alice');
    expect(await verdict(b.token({}, { kid: 'a' }))).toBe('unauthorized');
  });

  it('reports what is wrong with a token that one of them has signed, whichever it is', async () => {
    const [a, b] = await Promise.all([signingPair('ES256'), signingPair('ES256')]);
    const { verdict } = await setUp(await serve(a.jwk, b.jwk), { audience: 'stentor' });
    for (const pair of [a, b]) {
      expect(await verdict(pair.token({ aud: 'stentor', exp: Date.now() / 1000 - 60 }))).toBe('token_expired');
      expect(await verdict(pair.token({ aud: 'other' }))).toBe('unauthorized');
      expect(await verdict(pair.token({ aud: 'stentor' }))).toBe('alice');
    }
  });

  it('goes beside static keys of the same kid', async () => {
    const pair = await signingPair('EdDSA', 'k');
    const { verdict } = await setUp(await serve(pair.jwk), { keys: [{ alg: 'HS256', kid: 'k', secret: SECRET }] });
    expect(await verdict(pair.token())).toBe('alice');
    expect(await verdict(sign({ sub: 'bob', exp: Date.now() / 1000 + 60 }, secretKey(), { kid: 'k' }))).toBe('bob');
  });
});

describe('a key of a key set', () => {
  it('is used with its own algorithm only', async () => {
    const [rsa, ec] = await Promise.all([signingPair('RS256', 'k'), signingPair('ES256', 'k')]);
    const { server, verdict, authenticator } = await setUp(await serve(rsa.jwk, ec.jwk), { jwksAlgorithms: ['ES256'] });
    expect(await verdict(ec.token())).toBe('alice');
    expect(await verdict(rsa.token())).toBe('unauthorized');
    expect(authenticator.flawOf(await rsa.token())).toContain('no key matches');
    expect(authenticator.flawOf(await ec.token())).toBeUndefined();
    for (const alg of ['ES384', 'PS256', 'RS512']) expect(await verdict((await signingPair(alg, 'k')).token()), alg).toBe('unauthorized');
    // No key of the set can ever verify these.
    expect(await verdict((await signingPair('RS256', 'other')).token())).toBe('unauthorized');
    expect(server.fetches).toBe(1);
  });

  it('that is public is not a secret: a token signed with it as an HMAC secret is refused', async () => {
    const rsa = await signingPair('RS256', 'k');
    const { verdict } = await setUp(await serve(rsa.jwk, { kty: 'oct', kid: 'k', k: Buffer.from(SECRET).toString('base64url') }));
    const claims = { sub: 'root', exp: Date.now() / 1000 + 60 };
    for (const secret of [SECRET, rsa.jwk.n as string, JSON.stringify(rsa.jwk)]) {
      expect(await verdict(sign(claims, secretKey(secret), { kid: 'k' }))).toBe('unauthorized');
    }
  });

  it('for other uses is left out; without alg and use it is accepted', async () => {
    const [pair, stranger] = await Promise.all([signingPair('ES256', 'k'), signingPair('ES256', 'k')]);
    const bare = without(pair, 'alg', 'use');
    const others = [{ use: 'enc' }, { key_ops: ['sign'] }, { alg: 'ES384' }, { alg: 'ECDH-ES' }, { crv: 'P-384' }, { kty: 'RSA' }];
    for (const other of others) {
      const { verdict } = await setUp(await serve({ ...bare, ...other } as JWK, stranger.jwk));
      expect(await verdict(pair.token()), JSON.stringify(other)).toBe('unauthorized');
    }
    for (const same of [{}, { use: 'sig' }, { key_ops: ['verify'] }, { alg: 'ES256' }]) {
      const { verdict } = await setUp(await serve({ ...bare, ...same } as JWK));
      expect(await verdict(pair.token()), JSON.stringify(same)).toBe('alice');
    }
  });

  it('that is damaged, too short, private or no key at all does not take the good ones along', async () => {
    const pair = await signingPair('RS256', 'k');
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }) as JWK;
    const whole = (await exportJWK(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)) as JWK;
    const strange = [
      null,
      'key',
      [],
      {},
      { kty: 'RSA', kid: 'k' },
      { kty: 'RSA', n: '!', e: 5 },
      { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' },
    ];
    const { verdict } = await setUp(await serve(...(strange as JWK[]), { ...short, kid: 'k' }, { ...whole, kid: 'k' }, pair.jwk));
    expect(await verdict(pair.token())).toBe('alice');
  });
});

describe('a key set that rotates', () => {
  it('is fetched at once for a new kid, once for all that ask, and once a cooldown at most', async () => {
    const [old, fresh, unknown] = await Promise.all(['old', 'fresh', 'unknown'].map((kid) => signingPair('ES256', kid)));
    const { server, verdict, clock } = await setUp(await serve(old!.jwk), { jwksCooldownMs: 30_000 });
    expect(await verdict(old!.token())).toBe('alice');
    server.keys = [old!.jwk, fresh!.jwk];
    // A fetch by age or at the start is no fetch for a token.
    expect(await verdict(fresh!.token())).toBe('alice');
    expect(server.fetches).toBe(2);
    const flood = () => Promise.all(Array.from({ length: 50 }, () => verdict(unknown!.token())));
    clock.nowMs += 29_999;
    expect(new Set(await flood())).toEqual(new Set(['unauthorized']));
    expect(server.fetches).toBe(2);
    clock.nowMs += 1;
    expect(new Set(await flood())).toEqual(new Set(['unauthorized']));
    expect(await verdict(old!.token())).toBe('alice');
    expect(server.fetches).toBe(3);
  });

  it('within a cooldown makes a token unavailable if it was issued after the last fetch: its key may be newer', async () => {
    const [old, fresh, unknown, forger] = await Promise.all(['old', 'fresh', 'unknown', 'old'].map((kid) => signingPair('ES256', kid)));
    const { server, verdict, clock } = await setUp(await serve(old!.jwk), { jwksCooldownMs: 30_000, clockToleranceMs: 5000 });
    const now = () => Math.floor(Date.now() / 1000);
    // The fetch began after the token came, so its key is not one of the set.
    expect(await verdict(unknown!.token({ iat: now() }))).toBe('unauthorized');
    expect(server.fetches).toBe(2);
    server.keys = [old!.jwk, fresh!.jwk];
    const issued = (iat: number) => verdict(fresh!.token({ iat }));
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => issued(now()))))).toEqual(new Set(['unavailable']));
    // Whoever makes the tokens may have another clock.
    expect(await issued(now() + 3)).toBe('unavailable');
    expect(await issued(now() - 3)).toBe('unavailable');
    expect(await issued(now() + 60)).toBe('unauthorized');
    expect(await issued(now() - 60)).toBe('unauthorized');
    expect(await verdict(fresh!.token())).toBe('unauthorized');
    expect(await verdict(forger!.token({ iat: now() }))).toBe('unauthorized');
    // Without a kid it is no sign of a new key that none has signed it.
    expect(await verdict(fresh!.token({ iat: now() }, {}))).toBe('unauthorized');
    expect(server.fetches).toBe(2);
    clock.nowMs += 30_000;
    expect(await issued(now())).toBe('alice');
    expect(server.fetches).toBe(3);
  });

  it('is fetched once for concurrent requests', async () => {
    const [old, fresh] = await Promise.all([signingPair('ES256', 'old'), signingPair('ES256', 'fresh')]);
    const { server, verdict, clock } = await setUp(await serve(old.jwk));
    expect(await verdict(old.token())).toBe('alice');
    server.keys = [fresh.jwk];
    clock.nowMs += HOUR_MS;
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => verdict(fresh.token()))))).toEqual(new Set(['alice']));
    expect(server.fetches).toBe(2);
  });

  it('without kids is fetched again if no known key has signed a token', async () => {
    const [old, fresh] = await Promise.all([signingPair('EdDSA'), signingPair('EdDSA')]);
    const { server, verdict, clock } = await setUp(await serve(old.jwk));
    expect(await verdict(old.token())).toBe('alice');
    server.keys = [fresh.jwk];
    clock.nowMs += HOUR_MS;
    expect(await verdict(fresh.token())).toBe('alice');
    expect(await verdict(old.token())).toBe('unauthorized');
  });

  it('is fetched again when its keys are too old: a removed key is no longer accepted', async () => {
    const [old, fresh] = await Promise.all([signingPair('ES256', 'old'), signingPair('ES256', 'fresh')]);
    const { server, verdict, fetched } = await setUp(await serve(old.jwk), { jwksMaxAgeMs: 20 });
    expect(await verdict(old.token())).toBe('alice');
    server.keys = [fresh.jwk];
    const before = fetched.length;
    await until('two more fetches', () => fetched.length >= before + 2);
    expect(await verdict(old.token())).toBe('unauthorized');
    expect(await verdict(fresh.token())).toBe('alice');
  });
});

describe('a key set that cannot be fetched', () => {
  it('leaves the last good keys in use, says how old they are, and says it once', async () => {
    const pair = await signingPair('ES256', 'k');
    const { server, verdict, fetched, clock, log, authenticator } = await setUp(await serve(pair.jwk), {
      jwksMaxAgeMs: 20,
      jwksCooldownMs: 5,
      jwksKeepMs: 24 * HOUR_MS,
    });
    expect(await verdict(pair.token())).toBe('alice');
    await server.stop();
    await until('some failures', () => fetched.filter((result) => result === 'failed').length >= 3);
    expect(authenticator.keySetAgeMs).toBe(0);
    clock.nowMs += 24 * HOUR_MS;
    expect(authenticator.keySetAgeMs).toBe(24 * HOUR_MS);
    expect(await verdict(pair.token())).toBe('alice');
    expect(log).toEqual(['the key set cannot be fetched']);

    clock.nowMs += 1;
    for (let n = 0; n < 3; n++) expect(await verdict(pair.token())).toBe('unavailable');

    await server.restart();
    await until('a fetch', () => fetched.at(-1) === 'ok');
    expect(await verdict(pair.token())).toBe('alice');
    expect(authenticator.keySetAgeMs).toBe(0);
    expect(log).toEqual([
      'the key set cannot be fetched',
      'the last keys of auth.jwksUrl are older than auth.jwksKeepMs: their tokens are refused',
      'the key set can be fetched again',
    ]);
  });

  it('is logged with its URL and the reason in one line, without the query', async () => {
    const server = await serve();
    await server.stop();
    const { config } = loadConfig({ env: {}, flags: { 'auth.jwksUrl': `${server.url}?key=s3cret` } });
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', pretty: false }, { write: (line) => void lines.push(line) });
    const authenticator = await Authenticator.create({ auth: { ...config.auth, ...config.tuning.auth }, logger });
    ends.push(() => authenticator.stop());
    await until('a line', () => lines.length > 0);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ url: server.url, why: expect.stringContaining('ECONNREFUSED'), keysKnown: 0 });
    expect(lines.join()).not.toMatch(/s3cret|stack/);
  });

  it('is not asked by tokens: only its retries ask', async () => {
    const server = await serve();
    server.answer = (response) => void response.writeHead(503).end();
    const { verdict, authenticator } = await setUp(server);
    const startedMs = performance.now();
    const pair = await signingPair('ES256', 'k');
    const token = await pair.token();
    for (let n = 0; n < 200; n++) expect(await verdict(token)).toBe('unavailable');
    expect(authenticator.flawOf(token)).toBeUndefined();
    // The first, and retries after 1 s, 2 s more, …: at most one a second, however slow this machine is.
    expect(server.fetches).toBeLessThanOrEqual(1 + (performance.now() - startedMs) / 1000);
  });

  it('makes tokens of unknown keys unavailable, not invalid: their key may be new; those that a known key has not signed are invalid', async () => {
    const [pair, fresh, forger] = await Promise.all(['k', 'fresh', 'k'].map((kid) => signingPair('ES256', kid)));
    const { server, verdict, clock, fetched } = await setUp(await serve(pair!.jwk), { jwksKeepMs: 24 * HOUR_MS });
    expect(await verdict(pair!.token())).toBe('alice');
    await server.stop();
    clock.nowMs += HOUR_MS;
    for (let n = 0; n < 3; n++) expect(await verdict(fresh!.token())).toBe('unavailable');
    expect(fetched.at(-1)).toBe('failed');
    expect(await verdict(forger!.token())).toBe('unauthorized');
    expect(await verdict(pair!.token())).toBe('alice');
    server.keys = [pair!.jwk, fresh!.jwk];
    await server.restart();
    await until('a fetch', () => fetched.at(-1) === 'ok');
    expect(await verdict(fresh!.token())).toBe('alice');
  });

  it('does not delay tokens whose key is known', async () => {
    const [pair, unknown] = await Promise.all([signingPair('ES256', 'k'), signingPair('ES256', 'unknown')]);
    const { server, verdict, clock } = await setUp(await serve(pair.jwk));
    expect(await verdict(pair.token())).toBe('alice');
    const hanging: (() => void)[] = [];
    server.answer = (response) => void hanging.push(() => response.end(JSON.stringify({ keys: server.keys })));
    clock.nowMs += HOUR_MS;
    const waiting = verdict(unknown.token());
    await until('the question', () => hanging.length === 1);
    expect(await verdict(pair.token())).toBe('alice');
    hanging[0]?.();
    expect(await waiting).toBe('unauthorized');
  });

  it.each<[string, KeySetServer['answer'] & object]>([
    ['answers nonsense', (response) => void response.end('<html>')],
    ['answers no key set', (response) => void response.end('{"keys":"none"}')],
    ['answers null', (response) => void response.end('null')],
    ['answers 404 with a key set', (response) => void response.writeHead(404).end('{"keys":[]}')],
    ['redirects', (response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
    ['cuts the line', (response) => void response.destroy()],
    ['answers without an end', (response) => endless(response)],
  ])('because it %s makes tokens unavailable', async (_, answer) => {
    const pair = await signingPair('ES256', 'k');
    const server = await serve(pair.jwk);
    server.answer = answer;
    const { verdict } = await setUp(server);
    expect(await verdict(pair.token())).toBe('unavailable');
  });

  it('because it has more keys than tuning.auth.jwksKeysMax leaves the last good ones in use', async () => {
    const pairs = await Promise.all(['a', 'b', 'c'].map((kid) => signingPair('ES256', kid)));
    const [a, b, c] = pairs.map(({ jwk }) => jwk) as [JWK, JWK, JWK];
    const encryption = { ...(await signingPair('RS256', 'e')).jwk, use: 'enc' };
    const { server, verdict, clock, log } = await setUp(await serve(a, b, encryption), { jwksKeysMax: 2 });
    for (const pair of pairs.slice(0, 2)) expect(await verdict(pair.token())).toBe('alice');
    server.keys = [a, b, c];
    clock.nowMs += HOUR_MS;
    expect(await verdict(pairs[2]!.token())).toBe('unavailable');
    expect(await verdict(pairs[0]!.token())).toBe('alice');
    expect(log).toEqual(['the key set cannot be fetched']);
  });

  it.each<[string, readonly JWK[]]>([
    ['is suddenly empty', []],
    ['has no key that fits', [{ kty: 'oct', k: 'AAAA' }]],
  ])('because it %s leaves the last good ones in use', async (_, keys) => {
    const [pair, unknown] = await Promise.all([signingPair('ES256', 'k'), signingPair('ES256', 'unknown')]);
    const { server, verdict, fetched } = await setUp(await serve(pair.jwk));
    expect(await verdict(pair.token())).toBe('alice');
    server.keys = keys;
    expect(await verdict(unknown.token())).toBe('unavailable');
    expect(fetched).toEqual(['ok', 'failed']);
    expect(await verdict(pair.token())).toBe('alice');
  });
});

it('a static key may have comments and Windows line ends around it', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = `made in January\r\n${publicKey.export({ type: 'spki', format: 'pem' }).toString().replaceAll('\n', '\r\n')}`;
  const { config } = loadConfig({ env: {}, flags: { 'auth.keys': [{ alg: 'EdDSA', publicKeyPem: pem }] } });
  const authenticator = await Authenticator.create({
    auth: { ...config.auth, ...config.tuning.auth },
    logger: createLogger({ level: 'silent', pretty: false }),
  });
  const token = await sign({ sub: 'bob', exp: Date.now() / 1000 + 60 }, privateKey, { alg: 'EdDSA' });
  expect((await authenticator.verify(token)).user).toBe('bob');
});

/** Writes for as long as somebody reads. */
function endless(response: ServerResponse): void {
  while (!response.destroyed && response.write('['.repeat(65_536)));
  if (!response.destroyed) response.once('drain', () => endless(response));
}

describe('the claims of a token that is signed', () => {
  it.each([
    ['exp', 1e300],
    ['exp', 8_640_000_000_001],
    ['iat', 1e300],
    ['iat', -1e300],
  ])('are refused if %s is %d, which is no time', async (claim, value) => {
    const pair = await signingPair('EdDSA', 'k');
    const { verdict } = await setUp(await serve(pair.jwk));
    expect(await verdict(pair.token({ [claim]: value }))).toBe('unauthorized');
  });

  it.each(['accept', 'refuse'])('are refused where the token outlives its revocation: auth.revocations is %s', async (revocations) => {
    const pair = await signingPair('EdDSA', 'k');
    const server = await serve(pair.jwk);
    const { verdict } = await setUp(server, { revocations, tokenLifeMaxMs: HOUR_MS, clockToleranceMs: 0 });
    const now = Math.floor(Date.now() / 1000);
    expect(await verdict(pair.token({ iat: now - 1800, exp: now + 1800 }))).toBe('alice');
    expect(await verdict(pair.token({ iat: now - 1801, exp: now + 1800 }))).toBe('unauthorized');
    // An `iat` in the future is no reason to trust it longer.
    expect(await verdict(pair.token({ iat: now + 7200, exp: now + 7300 }))).toBe('unauthorized');
    expect(await verdict(pair.token({ exp: now + 3590 }))).toBe('alice');
    expect(await verdict(pair.token({ exp: now + 3700 }))).toBe('unauthorized');
    const { verdict: lax } = await setUp(server, { revocations: 'off', tokenLifeMaxMs: HOUR_MS });
    expect(await lax(pair.token({ iat: now - 1801, exp: now + 1800 }))).toBe('alice');
  });

  it('may say that the token never expires in practice', async () => {
    const pair = await signingPair('EdDSA', 'k');
    const { verdict } = await setUp(await serve(pair.jwk));
    expect(await verdict(pair.token({ exp: 8_640_000_000_000, iat: 1 }))).toBe('alice');
  });

  it.each(['a\u0000b', 'a\nlevel:error', '\u001b[2J', 'a\u0085', '\u007f'])(
    'are refused if sub is %j, which has control characters',
    async (sub) => {
      const pair = await signingPair('EdDSA', 'k');
      const { verdict } = await setUp(await serve(pair.jwk));
      expect(await verdict(pair.token({ sub }))).toBe('unauthorized');
      expect(await verdict(pair.token({ sub: 'Zoë 山田 👩‍💻' }))).toBe('Zoë 山田 👩‍💻');
    },
  );

  it.each(['a\ud800', '\udc00a'])(
    'are refused if sub is %j, which is half a character: two of them would be the same user',
    async (sub) => {
      const pair = await signingPair('EdDSA', 'k');
      const { verdict } = await setUp(await serve(pair.jwk));
      expect(await verdict(pair.token({ sub }))).toBe('unauthorized');
    },
  );
});
