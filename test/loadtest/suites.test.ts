import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliProcess } from '../cli/run-cli.ts';
import { type FrameFault, FrameProxy } from '../support/frame-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { ARTILLERY, K6, runArtillery, runK6, SECRET, SUITES, type SuiteRun } from './run-suite.ts';

/**
 * The k6 and artillery suites, small, where the tools are found. They prove that the scripts speak the protocol, and that they fail when the server
 * misbehaves; how fast anything is they do not ask here.
 */
const ENCODINGS = ['msgpack', 'json'];
const ARTILLERY_TIMEOUT_MS = 180_000;

const FAULTS: readonly (readonly [string, FrameFault])[] = [
  ['falls silent', { kind: 'silent', afterFrames: 20, what: 'everything' }],
  ['sends each frame twice', { kind: 'doubled' }],
  ['loses every second frame', { kind: 'dropped', every: 2 }],
];
/** For suites that watch a topic: enough frames have come for all clients to be in, and the topic to be on. */
const FAULTS_OF_STREAMS: typeof FAULTS = [
  ['falls silent halfway', { kind: 'silent', afterFrames: 200, what: 'everything' }],
  ['goes on answering, but sends no batch from halfway on', { kind: 'silent', afterFrames: 200, what: 'batches' }],
  ['sends each frame twice', { kind: 'doubled' }],
  ['loses every tenth frame', { kind: 'dropped', every: 10 }],
];

describe.runIf(K6 !== undefined || ARTILLERY !== undefined)('the suites of other load-testing tools', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-suites-'));
  let node: CliProcess;
  let url = '';
  let runs = 0;

  beforeAll(async () => {
    const keys = JSON.stringify([{ alg: 'HS256', secret: SECRET }]);
    const args = ['serve', '--config', join(SUITES, 'k6/node.yaml'), '--port', String(freePort()), '--admin-port', '0'];
    node = new CliProcess(args, { env: { STENTOR_AUTH_KEYS: keys } });
    const [, port] = await node.until(/"port":(\d+),"adminPort":\d+.*node started/);
    url = `ws://127.0.0.1:${port}/ws`;
  });
  afterAll(async () => {
    await node.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A run against the node, through a proxy that does it this harm; on a topic of its own. */
  async function through(fault: FrameFault, run: (at: { url: string; topic: string; output: string }) => Promise<SuiteRun>) {
    const number = ++runs;
    const proxy = await FrameProxy.start(url, fault);
    try {
      return await run({ url: proxy.url, topic: `load.run-${number}`, output: join(folder, `${number}.json`) });
    } finally {
      await proxy.stop();
    }
  }

  describe.runIf(K6 !== undefined)('k6', () => {
    const k6 = (script: string, settings: Readonly<Record<string, string | number>>, fault: FrameFault = { kind: 'none' }) =>
      through(fault, ({ url: URL, topic, output }) => runK6(script, { URL, SECRET, TOPIC: topic, ...settings }, output));

    describe.concurrent('pass when all is well', () => {
      it.each(ENCODINGS)('broadcast, in %s', async (ENCODING) => {
        const { failed, metric } = await k6('broadcast', { ENCODING, CONNECTIONS: 10, DURATION_S: 3, RATE: 20 });
        expect(failed).toEqual([]);
        expect(metric('connected')).toMatchObject({ passes: 10, fails: 0 });
        expect(metric('acked')).toMatchObject({ passes: 60, fails: 0 });
        expect(metric('complete')).toMatchObject({ passes: 10, fails: 0 });
        // And the publisher's word that it has ended.
        expect(metric('items')?.count).toBe(610);
      });

      it.each(ENCODINGS)('watchlist, in %s', async (ENCODING) => {
        const settings = { ENCODING, CONNECTIONS: 10, DURATION_S: 3, RATE: 40, TOPICS: 10, TOPICS_PER_CONNECTION: 4 };
        const { failed, metric } = await k6('watchlist', settings);
        expect(failed).toEqual([]);
        expect(metric('complete')).toMatchObject({ passes: 10, fails: 0 });
        // 120 publications and 10 ends over ten topics, four of them on each connection.
        expect(metric('items')?.count).toBe(10 * 4 * 13);
      });

      it.each(ENCODINGS)('reconnect-storm, in %s', async (ENCODING) => {
        const { failed, metric } = await k6('reconnect-storm', { ENCODING, CONNECTIONS: 10, DURATION_S: 4, RATE: 20, AWAY_S: 1 });
        expect(failed).toEqual([]);
        expect(metric('recovered')).toMatchObject({ passes: 10, fails: 0 });
        expect(metric('items')?.count).toBe(810);
      });

      it('connect-ramp', async () => {
        const { failed, metric } = await k6('connect-ramp', { CONNECTIONS: 20, DURATION_S: 2 });
        expect(failed).toEqual([]);
        expect(metric('connected')).toMatchObject({ passes: 20, fails: 0 });
      });

      it('publish', async () => {
        const { failed, metric } = await k6('publish', { DURATION_S: 2, RATE: 20, PUBLISHERS: 2 });
        expect(failed).toEqual([]);
        expect(metric('acked')).toMatchObject({ passes: 40, fails: 0 });
      });
    });

    it('work with an external feed, and fail when it stops', async () => {
      const settings = { CONNECTIONS: 3, DURATION_S: 2, RATE: 5, TOPIC: 'load.external' };
      const feed = k6('publish', { ...settings, DURATION_S: 15, PUBLISHERS: 1 });
      expect((await k6('broadcast', { ...settings, FEED: 'external' })).failed).toEqual([]);
      await feed;
      const { failed } = await k6('broadcast', { ...settings, FEED: 'external' });
      expect([...failed].sort()).toEqual(['stentor_complete rate==1', 'stentor_items count>0']);
    });

    it.each([
      ['at the handshake', { TOKEN: 'no.jwt.at-all' }],
      ['when it subscribes', { TOPIC: 'nowhere.a' }],
    ])('counts a client that is refused once, %s', async (_, settings) => {
      const { failed, metric } = await k6('connect-ramp', { CONNECTIONS: 5, DURATION_S: 2, ...settings });
      expect(metric('connected')).toMatchObject({ passes: 0, fails: 5 });
      expect(failed).toContain('stentor_connected rate>0.999');
    });

    describe.concurrent.each(FAULTS)('fails when the server %s', (_, fault) => {
      it.each([
        ['connect-ramp', { CONNECTIONS: 20, DURATION_S: 2 }],
        ['publish', { DURATION_S: 2, RATE: 20, PUBLISHERS: 2 }],
      ] as const)('%s', async (script, settings) => {
        expect((await k6(script, settings, fault)).failed).not.toEqual([]);
      });
    });

    describe.concurrent.each(FAULTS_OF_STREAMS)('fails when the server %s', (_, fault) => {
      it.each([
        ['broadcast', { CONNECTIONS: 10, DURATION_S: 3, RATE: 20 }],
        ['watchlist', { CONNECTIONS: 10, DURATION_S: 3, RATE: 40, TOPICS: 10, TOPICS_PER_CONNECTION: 4 }],
        ['reconnect-storm', { CONNECTIONS: 10, DURATION_S: 4, RATE: 20, AWAY_S: 1 }],
      ] as const)('%s', async (script, settings) => {
        expect((await k6(script, settings, fault)).failed).not.toEqual([]);
      });
    });
  });

  // One after the other: artillery takes seconds of a core to start.
  describe.runIf(ARTILLERY !== undefined)('artillery', { timeout: ARTILLERY_TIMEOUT_MS }, () => {
    const artillery = (script: string, clients: number, ENCODING = 'msgpack', fault: FrameFault = { kind: 'none' }) =>
      through(fault, ({ url: URL, topic, output }) => runArtillery(script, clients, { URL, SECRET, ENCODING, TOPIC: topic }, output));

    describe('pass when all is well', () => {
      it.each(ENCODINGS)('broadcast, in %s', async (encoding) => {
        const { failed, counter } = await artillery('broadcast', 10, encoding);
        expect(failed).toEqual([]);
        expect(counter('complete')).toBe(10);
        expect(counter('items')).toBeGreaterThan(0);
      });

      it.each(ENCODINGS)('watchlist, in %s', async (encoding) => {
        const { failed, counter } = await artillery('watchlist', 10, encoding);
        expect(failed).toEqual([]);
        expect(counter('complete')).toBe(10);
      });

      it.each(ENCODINGS)('reconnect-storm, in %s', async (encoding) => {
        const { failed, counter } = await artillery('reconnect-storm', 10, encoding);
        expect(failed).toEqual([]);
        expect(counter('recovered')).toBeGreaterThanOrEqual(8);
      });

      it('connect-ramp', async () => {
        const { failed, counter } = await artillery('connect-ramp', 20);
        expect(failed).toEqual([]);
        expect(counter('subscribed')).toBe(20);
      });

      it('publish', async () => {
        const { failed, counter } = await artillery('publish', 2);
        expect(failed).toEqual([]);
        expect(counter('acked')).toBeGreaterThan(0);
      });
    });

    describe.each(FAULTS)('fails when the server %s', (_, fault) => {
      it.each(['connect-ramp', 'publish'])('%s', async (script) => {
        expect((await artillery(script, 20, 'msgpack', fault)).failed).not.toEqual([]);
      });
    });

    describe.each(FAULTS_OF_STREAMS)('fails when the server %s', (_, fault) => {
      it.each(['broadcast', 'watchlist', 'reconnect-storm'])('%s', async (script) => {
        expect((await artillery(script, 10, 'msgpack', fault)).failed).not.toEqual([]);
      });
    });
  });
});
