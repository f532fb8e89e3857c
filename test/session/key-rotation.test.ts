import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { Authenticator } from '../../src/session/authenticator.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { KeySetServer, signingPair } from '../support/key-set-server.ts';
import { TestWorker } from '../support/test-worker.ts';

const CONNECTIONS = 5000;
/** For a worker that hangs: a busy machine may take a while to make and verify 20,000 signatures. */
const HANG_TIMEOUT_MS = 600_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(...pairs: readonly { readonly jwk: KeySetServer['keys'][0] }[]): Promise<KeySetServer> {
  const server = await KeySetServer.start(...pairs.map(({ jwk }) => jwk));
  ends.push(() => server.stop());
  return server;
}

async function authenticatorOf(server: KeySetServer, auth: Record<string, unknown> = {}) {
  const { config } = loadConfig({ env: {}, flags: { 'auth.jwksUrl': server.url } });
  const clock = { nowMs: 1000 };
  const fetched: string[] = [];
  const authenticator = await Authenticator.create({
    auth: { ...config.auth, ...config.tuning.auth, ...auth },
    logger: createLogger({ level: 'silent', pretty: false }, { write: () => undefined }),
    onFetch: (result) => fetched.push(result),
    nowMs: () => clock.nowMs,
  });
  ends.push(() => authenticator.stop());
  const verdict = async (token: string) => {
    try {
      return (await authenticator.verify(token)).user;
    } catch (error) {
      if (error instanceof ProtocolError) return error.code;
      throw error;
    }
  };
  return { clock, fetched, verdict };
}

describe('a key that is rotated', () => {
  it(
    `while ${CONNECTIONS} connections refresh their tokens costs none of them anything, and its server a few requests`,
    async () => {
      const [old, fresh] = await Promise.all([signingPair('EdDSA', 'old'), signingPair('EdDSA', 'fresh')]);
      const server = await serve(old);
      const worker = await TestWorker.create({ 'auth.jwksUrl': server.url });
      ends.push(() => worker.stop());
      const exp = Math.floor(Date.now() / 1000) + 600;
      const clients = await Promise.all(
        Array.from({ length: CONNECTIONS }, async (_, i) => worker.client({ token: await old.token({ sub: `user-${i}`, exp }) })),
      );
      // All the time that the test has: a busy machine takes more than one wait for so many signatures.
      const untilEach = async (type: 'connected' | 'refreshed') => {
        for (const client of clients) while (client.ofType(type).length < 1) await new Promise((resolve) => setTimeout(resolve, 20));
      };
      await untilEach('connected');

      server.keys = [old.jwk, fresh.jwk];
      const tokens = await Promise.all(clients.map((_, i) => (i % 2 === 0 ? fresh : old).token({ sub: `user-${i}`, exp: exp + 600 })));
      clients.forEach((client, i) => void client.say({ type: 'refresh', id: 2, token: tokens[i] }));
      await untilEach('refreshed');
      expect(clients.flatMap(({ errors }) => errors)).toEqual([]);
      expect(clients.every(({ socket }) => socket.isOpen)).toBe(true);
      worker.connections.everySecond((exp + 30) * 1000);
      expect(clients.every(({ socket }) => socket.isOpen)).toBe(true);
      expect(server.fetches).toBe(2);
    },
    HANG_TIMEOUT_MS,
  );
});

describe('a key set whose server is dead', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('for an hour is asked by retries only, twice a minute, while known keys are used; then the new ones', async () => {
    const [known, fresh] = await Promise.all([signingPair('EdDSA', 'known'), signingPair('EdDSA', 'fresh')]);
    const server = await serve(known);
    const { clock, fetched, verdict } = await authenticatorOf(server, { jwksMaxAgeMs: 10 * MINUTE_MS, jwksCooldownMs: 30_000 });
    const far = { exp: Date.now() / 1000 + 86_400 };
    const [ours, theirs] = [await known.token(far), await fresh.token(far)];
    expect(await verdict(ours)).toBe('alice');
    await server.stop();
    server.keys = [known.jwk, fresh.jwk];

    const settled = async (count: number) => {
      while (fetched.length < count) await new Promise(setImmediate);
    };
    const startMs = clock.nowMs;
    for (let elapsedMs = 0; elapsedMs < HOUR_MS; ) {
      const before = fetched.length;
      const stepMs = before === 1 ? 10 * MINUTE_MS : Math.min(30_000, 1000 * 2 ** (before - 2));
      clock.nowMs += stepMs;
      elapsedMs = clock.nowMs - startMs;
      vi.advanceTimersByTime(stepMs);
      await settled(before + 1);
      // A storm of connects at each retry.
      const verdicts = await Promise.all(Array.from({ length: 20 }, (_, i) => verdict(i % 2 === 0 ? ours : theirs)));
      expect(new Set(verdicts)).toEqual(new Set(['alice', 'unavailable']));
      expect(fetched.length).toBe(before + 1);
    }
    const failed = fetched.filter((result) => result === 'failed').length;
    // After ten minutes: 1, 2, 4, 8 and 16 s apart, and then every 30 s.
    expect(failed).toBe(6 + Math.ceil((50 * 60 - 31) / 30));

    await server.restart();
    clock.nowMs += 30_000;
    vi.advanceTimersByTime(30_000);
    await settled(failed + 2);
    expect([await verdict(ours), await verdict(theirs)]).toEqual(['alice', 'alice']);
  });
});

describe('a clock that differs', () => {
  it.each([
    [-3000, 'alice'],
    [3000, 'alice'],
    [-60_000, 'token_expired'],
    [60_000, 'unauthorized'],
  ])('by %i ms from that of whoever made the token: %s', async (skewMs, expected) => {
    const pair = await signingPair('EdDSA', 'k');
    const { verdict } = await authenticatorOf(await serve(pair), { clockToleranceMs: 5000 });
    // Valid for two seconds by its maker's clock, from its now.
    const nowS = Math.floor((Date.now() + skewMs) / 1000);
    expect(await verdict(await pair.token({ iat: nowS, nbf: nowS, exp: nowS + 2 }))).toBe(expected);
  });
});
