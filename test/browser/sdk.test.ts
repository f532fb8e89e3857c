import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCases } from '../client/bundle-cases.ts';
import { CaseServer } from '../client/case-server.ts';
import { BROWSER } from '../client/cases/browser.ts';
import { CASES } from '../client/cases/index.ts';
import type { Order, Outcome } from '../client/cases/main.ts';
import { cutsElsewhere } from '../client/cuts.ts';
import { chromiumPath, launchChromium } from '../support/chromium.ts';

/** In the page. */
declare const runByName: (name: string, order: Order) => Promise<Outcome>;

const chromium = chromiumPath();

describe.runIf(chromium !== undefined)('the SDK, in a browser, on a page whose policy allows neither inline scripts nor eval', () => {
  let server: CaseServer;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    const script = await bundleCases('browser');
    server = await CaseServer.start(() => script);
    browser = await launchChromium(chromium as string);
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(server.url);
    await page.waitForFunction(() => 'runByName' in globalThis);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const cuts = cutsElsewhere();
  for (const { name } of [...CASES, ...BROWSER]) {
    it(
      name,
      async () => {
        const order = { serverUrl: server.url, url: `ws://127.0.0.1:${server.proxy.port}/ws`, cuts };
        const { error } = await page.evaluate(([one, given]) => runByName(one, given), [name, order] as const);
        expect(error).toBeUndefined();
        expect(complaints).toEqual([]);
      },
      120_000 + cuts * 500,
    );
  }
});
