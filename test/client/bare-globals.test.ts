import { fileURLToPath } from 'node:url';
import { type Context, createContext, Script } from 'node:vm';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type * as Index from '../../src/client/index.ts';
import type * as Keys from '../../src/client/keys.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

/** What even an embedded engine has. A context of `vm` has the language's own objects and nothing of Node's. */
const BARE = { setTimeout, clearTimeout, WebSocket };

type Sdk = typeof Index & typeof Keys;

const CLIENT = fileURLToPath(new URL('../../src/client', import.meta.url));

/** The SDK in one script, as a bundler makes it. `ws` is taken in where it is not left out: for browsers and workers that is its stub, ws/browser.js. */
async function bundle(conditions: readonly string[], external: readonly string[]): Promise<Script> {
  const { outputFiles } = await build({
    stdin: { contents: "export * from './index.ts'; export * from './keys.ts'", resolveDir: CLIENT },
    bundle: true,
    format: 'iife',
    globalName: 'sdk',
    platform: 'browser',
    conditions: [...conditions],
    external: [...external],
    target: 'es2022',
    write: false,
    logLevel: 'warning',
  });
  return new Script(outputFiles[0]?.text as string);
}

function load(script: Script, globals: object): { sdk: Sdk; context: Context } {
  const context = createContext({ ...globals });
  script.runInContext(context);
  return { sdk: context.sdk as Sdk, context };
}

let node: TestNode;
let proxy: TestProxy;
let plain: Script;
let token: string;
beforeAll(async () => {
  plain = await bundle([], ['ws']);
  token = await tokenOf();
  node = await TestNode.start({ namespaces: { open: { public: true, clientPublish: true } } });
  proxy = await TestProxy.start(node.running.port);
});
afterAll(async () => {
  await proxy?.stop();
  await node?.stop();
});

let nextTopic = 0;

/** Connects, publishes, hears it, and comes back after a cut with pauses that are numbers. */
async function works({ sdk }: { sdk: Sdk }): Promise<void> {
  const topic = `open.t${nextTopic++}`;
  const client = sdk.createClient({
    url: `ws://127.0.0.1:${proxy.port}/ws`,
    token,
    backoff: { baseMs: 20, maxMs: 40, jitterMs: 10, stableAfterMs: 0 },
  });
  const pauses: number[] = [];
  let attempts = 0;
  client.on('state', (state) => {
    if (state.status !== 'reconnecting') return;
    if (state.nextAttemptAtMs === undefined) attempts++;
    else pauses.push(state.nextAttemptAtMs - Date.now());
  });
  try {
    await client.connect();
    const seen: unknown[] = [];
    await new Promise<void>((onSubscribed) =>
      client.topic(topic, { onSubscribed: () => onSubscribed() }).subscribe(({ data }) => seen.push(data)),
    );
    await client.publish(topic, 1);
    await until('the first publication', () => seen.length === 1);
    proxy.refusing = true;
    proxy.cut();
    await until('a few attempts', () => attempts >= 3);
    proxy.refusing = false;
    await client.publish(topic, 2);
    await until('the second publication', () => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    // In 1970 or tomorrow would be a clock of another kind.
    for (const pause of pauses) expect(Math.abs(pause)).toBeLessThan(3_600_000);
    expect(client.stats().clockOffsetMs).toEqual(expect.any(Number));
    client.on('stats', () => undefined)();
  } finally {
    proxy.reset();
    await client.close();
  }
}

describe('the SDK assumes no optional global', () => {
  const PLATFORMS: Record<string, object> = {
    'an engine with nothing but timers and a WebSocket': {},
    'React Native: no timeOrigin, no crypto, no TextDecoder': {
      performance: { now: () => performance.now() },
      navigator: { product: 'ReactNative' },
    },
    'a polyfill whose timeOrigin is 0': { performance: { timeOrigin: 0, now: () => performance.now() } },
    'a polyfill whose timeOrigin is NaN': { performance: { timeOrigin: Number.NaN, now: () => performance.now() } },
    'performance without now': { performance: { timeOrigin: 1 } },
    'crypto without getRandomValues': { crypto: {}, TextEncoder, TextDecoder },
    'a document and a window that tell nothing': { document: {}, navigator: {} },
  };

  it.each(Object.entries(PLATFORMS))('%s', async (_, globals) => {
    const loaded = load(plain, { ...BARE, ...globals });
    await works(loaded);
    expect(loaded.sdk.encodeKey('BTC/ü')).toBe('BTC=2F=C3=BC');
    expect(loaded.sdk.decodeKey('BTC=2F=C3=BC')).toBe('BTC/ü');
  });

  it('says what is missing if there is no WebSocket', async () => {
    const { sdk } = load(plain, { setTimeout, clearTimeout });
    const client = sdk.createClient({ url: 'ws://127.0.0.1:9/ws' });
    await until('a failed attempt', () => client.state.status === 'connecting' && client.state.reason !== undefined);
    expect(client.state).toMatchObject({ reason: { text: expect.stringContaining('no WebSocket') } });
    await client.close();
  });

  it('stops with its own assertion, instead of connecting without a pause, when a pause is no number', async () => {
    const { sdk, context } = load(plain, BARE);
    new Script('Math.random = () => NaN').runInContext(context);
    const client = sdk.createClient({ url: 'ws://127.0.0.1:9/ws' });
    let attempts = 0;
    client.on('state', (state) => {
      if ('attempt' in state && state.nextAttemptAtMs === undefined) attempts++;
    });
    const ended = client.connect();
    await expect(ended).rejects.toMatchObject({ code: 'disconnected' });
    expect(client.state).toMatchObject({ status: 'disconnected', reason: { text: 'a timer was set to NaN ms' } });
    expect(attempts).toBeLessThanOrEqual(1);
  });
});

describe('a monotonic clock that stops while the machine sleeps', () => {
  const HOUR_MS = 3_600_000;

  it('is estimated again with the next connection, even to the same node: otherwise the token would be refreshed an hour late', async () => {
    let sleptMs = 0;
    const clock = { timeOrigin: performance.timeOrigin, now: () => performance.now() - sleptMs };
    const { sdk } = load(plain, { ...BARE, performance: clock });
    const backoff = { baseMs: 20, maxMs: 40, jitterMs: 10, stableAfterMs: 0 };
    const client = sdk.createClient({ url: `ws://127.0.0.1:${proxy.port}/ws`, backoff });
    const hoursBehind = () => Math.abs(Math.round((client.stats().clockOffsetMs as number) / HOUR_MS));
    try {
      await client.connect();
      expect(hoursBehind()).toBe(0);
      sleptMs = HOUR_MS;
      proxy.cut();
      await until('the connection to be back', () => client.stats().disconnects === 1 && client.state.status === 'connected');
      expect(hoursBehind()).toBe(1);
      // Also where no sample could prove it: nothing measured before counts any more.
      proxy.delayMs = 100;
      proxy.cut();
      await until('the connection to be back', () => client.stats().disconnects === 2 && client.state.status === 'connected');
      expect(client.stats().rttMs).toBeGreaterThan(190);
    } finally {
      proxy.reset();
      await client.close();
    }
  });
});

describe('the SDK in a bundle in which `ws` is its stub for browsers', () => {
  const PROCESS = { versions: { node: '22.0.0' }, env: {} };

  it.each([
    ['a browser', [], {}],
    ['a worker that has Node’s globals', ['workerd', 'worker', 'browser'], { process: PROCESS }],
    ['a page with a polyfill of process', ['browser'], { process: PROCESS }],
  ])('uses the platform’s own WebSocket: %s', async (_, conditions, globals) => {
    const script = await bundle(conditions, []);
    await works(load(script, { ...BARE, ...globals }));
  });
});
