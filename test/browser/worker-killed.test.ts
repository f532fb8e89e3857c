import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { NodeProcess } from '../support/node-process.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();

describe.runIf(chromium !== undefined)('the demo page of a node whose worker is killed', () => {
  let node: NodeProcess;
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium(chromium as string);
    node = NodeProcess.launch({ workers: 1, 'log.pretty': false }, { args: ['--demo'] });
    await node.untilStarted(1);
  });
  afterAll(async () => {
    await browser?.close();
    await node?.stop();
  });

  it('shows that it reconnects, is served by the new worker, and keeps showing new items', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${node.port}/`);
    const state = (pattern: RegExp) => page.locator('#state', { hasText: pattern }).waitFor({ state: 'attached' });
    await state(/^connected$/);
    await page.locator('#quotes', { hasText: /\d\.\d\d/ }).waitFor({ state: 'attached' });
    // Looked for in every frame: the new worker may be there soon.
    const lost = page.waitForFunction(() => {
      const { document } = globalThis as unknown as { document: { querySelector(selector: string): { textContent: string } } };
      return document.querySelector('#state').textContent.trim() !== 'connected';
    });
    process.kill(node.workerPids[0] as number, 'SIGKILL');
    await lost;
    await state(/^connected$/);
    const quotes = await page.locator('#quotes').textContent();
    await until('other quotes', async () => (await page.locator('#quotes').textContent()) !== quotes);
    expect(await node.metric('stentor_worker_restarts_total')).toBe(1);
  });
});
