import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { WebSocketBlocker } from '../support/websocket-blocker.ts';

const chromium = chromiumPath();
const PROGRAM = `
import { createClient } from './src/client/index.ts';
import { withSse } from './src/client/sse.ts';
globalThis.run = (url, token) => {
  const kept = { numbers: [], transports: [], acks: [] };
  globalThis.kept = kept;
  const client = createClient(withSse({ url, token, backoff: { baseMs: 20, maxMs: 100, jitterMs: 10 }, onTransport: (name) => kept.transports.push(name) }));
  globalThis.publish = async (n) => kept.acks.push((await client.publish('room.a', { n })).offset);
  client.topic('room.a', { snapshot: true, onSubscribed: () => (kept.isLive = true) }).subscribe(({ data }) => kept.numbers.push(data.n));
};`;

interface Kept {
  readonly numbers: number[];
  readonly transports: string[];
  readonly acks: number[];
  readonly isLive?: boolean;
}

declare const kept: Kept;
declare const run: (url: string, token: string) => void;
declare const publish: (n: number) => Promise<number>;

describe.runIf(chromium !== undefined)('the SDK, in a browser whose network blocks WebSockets', () => {
  let node: TestNode;
  let line: WebSocketBlocker;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    node = await TestNode.start({ namespaces: { room: { clientPublish: true } } });
    line = await WebSocketBlocker.start(node.running.port);
    browser = await launchChromium(chromium as string);
    page = await browser.newPage();
    const { outputFiles } = await build({
      stdin: { contents: PROGRAM, resolveDir: process.cwd(), loader: 'ts' },
      bundle: true,
      format: 'iife',
      platform: 'browser',
      external: ['ws'],
      write: false,
    });
    await page.addScriptTag({ content: outputFiles[0]?.text as string });
  });
  afterAll(async () => {
    await browser?.close();
    await line?.stop();
    await node?.stop();
  });

  it('goes on by a stream of events: it publishes, and gets everything once and in order over cuts', async () => {
    await page.evaluate(([url, token]) => run(url, token), [`ws://127.0.0.1:${line.port}/ws`, await tokenOf()] as const);
    const state = () => page.evaluate(() => kept);
    await until('the stream', async () => (await state()).isLive === true);
    expect([(await state()).transports, line.blocked]).toEqual([['websocket', 'sse'], 2]);
    let published = 0;
    for (let cut = 0; cut < 3; cut++) {
      for (let i = 0; i < 20; i++) await node.publish('room.a', { n: published++ });
      line.cut();
      for (let i = 0; i < 20; i++) await node.publish('room.a', { n: published++ });
      await until('what was missed', async () => (await state()).numbers.length === published);
    }
    await page.evaluate((n) => publish(n), published++);
    await until('its own publication', async () => (await state()).numbers.length === published);
    const { numbers, acks, transports } = await state();
    expect(numbers).toEqual(Array.from({ length: published }, (_, n) => n));
    expect(acks).toEqual([published]);
    expect(transports.filter((name) => name === 'sse').length).toBeGreaterThan(0);
  });
});
