import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import { ANONYMOUS } from '../../src/session/identity.ts';
import { TokenCache } from '../../src/session/token-cache.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { KeySetServer, signingPair } from '../support/key-set-server.ts';
import { HS256_KEYS, SECRET, secretKey, sign, tokenOf } from '../support/tokens.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function authenticatorOf(auth: Readonly<Record<string, unknown>>, nowMs = () => 0): Promise<Authenticator> {
  const { config } = loadConfig({ env: {}, flags: {} });
  const authenticator = await Authenticator.create({
    auth: { ...config.auth, ...config.tuning.auth, ...auth },
    logger: createLogger({ level: 'silent', pretty: false }),
    nowMs,
  });
  ends.push(() => authenticator.stop());
  return authenticator;
}

const codeOf = (verifying: Promise<unknown>) =>
  verifying.then(
    () => 'accepted',
    (error: { code: string }) => error.code,
  );

describe('a verified token', () => {
  const keys = [] as const;
  const entry = { identity: ANONYMOUS, keys };

  it('is forgotten above the number of tokens: the one that was used longest ago', () => {
    const cache = new TokenCache({ verifiedTokensMax: 2, verifiedTokenBytesMax: 1e6 });
    cache.add('a', 1, entry);
    cache.add('b', 1, entry);
    expect(cache.get('a')).toMatchObject(entry);
    cache.add('c', 1, entry);
    expect(['a', 'b', 'c'].map((token) => cache.get(token) !== undefined)).toEqual([true, false, true]);
  });

  it('is forgotten above the bytes, and gives its bytes back', () => {
    const cache = new TokenCache({ verifiedTokensMax: 1000, verifiedTokenBytesMax: 10_000 });
    for (let n = 0; n < 100; n++) cache.add(`${n}`, 1000, entry);
    expect([cache.size, cache.bytes <= 10_000]).toEqual([4, true]);
    cache.add('x', 20_000, entry);
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
    cache.add('a', 1, entry);
    cache.add('a', 1, entry);
    cache.delete('a');
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });

  it('is not kept with a bound of 0', () => {
    const cache = new TokenCache({ verifiedTokensMax: 0, verifiedTokenBytesMax: 1e6 });
    cache.add(cache.digestOf('a'), 1, entry);
    expect([cache.get(cache.digestOf('a')), cache.size]).toEqual([undefined, 0]);
  });

  it('gives the same identity again, until it expires', async () => {
    const authenticator = await authenticatorOf({ keys: HS256_KEYS, clockToleranceMs: 0 });
    vi.useFakeTimers({ toFake: ['Date'] });
    ends.push(() => vi.useRealTimers());
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await sign({ sub: 'alice', exp });
    const identity = await authenticator.verify(token);
    expect(await authenticator.verify(token)).toBe(identity);
    expect(authenticator.flawOf(token)).toBeUndefined();
    expect(authenticator.flawOf(token, exp * 1000)).toMatch(/expired/);
    vi.setSystemTime(exp * 1000);
    expect(await codeOf(authenticator.verify(token))).toBe('token_expired');
    expect(authenticator.kept).toEqual({ tokens: 0, bytes: 0 });
  });

  it('is not taken for another one whose upgrade is decided at the same time', async () => {
    const authenticator = await authenticatorOf({ keys: HS256_KEYS });
    const exp = Math.floor(Date.now() / 1000) + 600;
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((sub) => sign({ sub, exp })));
    const foreign = await sign({ sub: 'carol', exp }, secretKey('another secret of enough characters'));
    for (const [looked, verified, verdict] of [
      [alice, bob, 'bob'],
      [bob, alice, 'alice'],
      [alice, foreign, 'unauthorized'],
      [foreign, bob, 'bob'],
      ['no token', alice, 'alice'],
      [alice, 'no token', 'unauthorized'],
    ] as const) {
      authenticator.flawOf(looked as string);
      const found = authenticator.verify(verified as string).then(
        ({ user }) => user,
        ({ code }) => code,
      );
      expect(await found).toBe(verdict);
    }
  });

  it('counts no more when the key set has changed', async () => {
    let nowMs = 1000;
    const [withdrawn, stays] = await Promise.all([signingPair('ES256', 'a'), signingPair('ES256', 'b')]);
    const server = await KeySetServer.start(withdrawn.jwk, stays.jwk);
    ends.push(() => server.stop());
    const authenticator = await authenticatorOf({ jwksUrl: server.url }, () => nowMs);
    const [first, second] = await Promise.all([withdrawn.token(), stays.token()]);
    expect(await Promise.all([first, second].map((token) => codeOf(authenticator.verify(token))))).toEqual(['accepted', 'accepted']);
    server.keys = [stays.jwk];
    nowMs += 3_600_000;
    // An unknown key has the set fetched again.
    const stranger = await signingPair('ES256', 'c');
    expect(await codeOf(authenticator.verify(await stranger.token()))).toBe('unauthorized');
    expect(await Promise.all([first, second].map((token) => codeOf(authenticator.verify(token))))).toEqual(['unauthorized', 'accepted']);
  });

  it('counts no more when the key set is too old', async () => {
    let nowMs = 1000;
    const pair = await signingPair('ES256', 'a');
    const server = await KeySetServer.start(pair.jwk);
    ends.push(() => server.stop());
    const authenticator = await authenticatorOf({ jwksUrl: server.url, jwksKeepMs: 10_000 }, () => nowMs);
    const token = await pair.token();
    expect(await codeOf(authenticator.verify(token))).toBe('accepted');
    nowMs += 20_000;
    expect(await codeOf(authenticator.verify(token))).toBe('unavailable');
  });
});

describe('a token that is signed with a secret', () => {
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  /** Signed right, whatever it says. */
  const signed = (header: object, claims: unknown) => {
    const text = `${base64(header)}.${base64(claims)}`;
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  };

  it.each([
    ['a right one', { alg: 'HS256' }, { sub: 'a', exp }, 'accepted'],
    ['one with a kid and a type', { alg: 'HS256', kid: 'x', typ: 'JWT' }, { sub: 'a', exp }, 'accepted'],
    ['one that has expired', { alg: 'HS256' }, { sub: 'a', exp: 1 }, 'token_expired'],
    ['one that is not valid yet', { alg: 'HS256' }, { sub: 'a', exp, nbf: exp - 60 }, 'unauthorized'],
    ['one without sub', { alg: 'HS256' }, { exp }, 'unauthorized'],
    ['one without exp', { alg: 'HS256' }, { sub: 'a' }, 'unauthorized'],
    ['one of another issuer', { alg: 'HS256' }, { sub: 'a', exp, iss: 'other' }, 'unauthorized'],
    ['one that names another algorithm', { alg: 'HS512' }, { sub: 'a', exp }, 'unauthorized'],
    ['one that names none', { alg: 'none' }, { sub: 'a', exp }, 'unauthorized'],
    ['one with an extension that is not known', { alg: 'HS256', crit: ['x'], x: 1 }, { sub: 'a', exp }, 'unauthorized'],
    ['one whose payload is not encoded', { alg: 'HS256', crit: ['b64'], b64: false }, { sub: 'a', exp }, 'unauthorized'],
    ['one whose claims are a list', { alg: 'HS256' }, [], 'unauthorized'],
  ])('%s', async (_, header, claims, verdict) => {
    const authenticator = await authenticatorOf({ keys: HS256_KEYS, issuer: 'us' });
    const withIssuer = Array.isArray(claims) ? claims : { iss: 'us', ...claims };
    expect(await codeOf(authenticator.verify(signed(header, withIssuer)))).toBe(verdict);
  });

  it('is refused if anything of it is changed', async () => {
    const authenticator = await authenticatorOf({ keys: HS256_KEYS });
    const token = await tokenOf();
    expect(await codeOf(authenticator.verify(await sign({ sub: 'a', exp }, secretKey('another secret of enough characters'))))).toBe(
      'unauthorized',
    );
    // Not the last: some of its bits mean nothing.
    for (const at of [...token.slice(0, -1)].flatMap((character, i) => (character === '.' ? [] : [i]))) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      expect(await codeOf(authenticator.verify(changed)), `${at}`).toBe('unauthorized');
    }
    expect(await codeOf(authenticator.verify(token))).toBe('accepted');
  });
});
