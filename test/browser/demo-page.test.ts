import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { TestNode } from '../support/node.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();

describe.runIf(chromium !== undefined)('the demo page', () => {
  let node: TestNode;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const text = async (selector: string) => (await page.locator(selector).textContent()) ?? '';
  const untilText = (selector: string, pattern: RegExp) => page.locator(selector, { hasText: pattern }).waitFor({ state: 'attached' });
  /** The number under a name in a list of figures. */
  const figure = async (list: string, name: string) => {
    const value = page.locator(`${list} div`, { has: page.getByText(name, { exact: true }) }).locator('dd');
    return Number((await value.textContent())?.replaceAll(',', ''));
  };
  const untilFigure = (name: string, fits: (value: number) => boolean) =>
    until(`${name} to fit`, async () => fits(await figure('#ticker-figures', name)));

  async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<void> {
    page = await browser.newPage(options);
    complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`http://127.0.0.1:${node.running.port}/`) && !request.url().startsWith('data:'))
        complaints.push(request.url());
    });
    await page.goto(`http://127.0.0.1:${node.running.port}/`);
    await untilText('#state', /^connected$/);
  }

  beforeAll(async () => {
    browser = await launchChromium(chromium as string);
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    node = await TestNode.start({ path: '/live/ws' }, { demo: { feeds: true } });
  });
  afterEach(async () => {
    await page.close();
    await node.stop();
  });

  it('shows scores, prices, latencies and its connection, says that they are fictional, and sends no request to another server', async () => {
    await open();
    expect(await text('body')).toMatch(/All data here is fictional/);
    await untilText('#score', /\d–\d .*′/);
    await untilText('#quotes', /BRWX.*\d\.\d\d/);
    await untilText('#latency-figures', /median\d/);
    await untilText('#connection', /node-/);
    await page.waitForSelector('#chart canvas');
    expect(complaints).toEqual([]);
  });

  it('cuts the connection, shows the reason and the time of the next attempt, and recovers what was missed: nothing missing, nothing twice', async () => {
    await open();
    await untilText('#recovery-figures', /received\d\d/);
    await page.click('#cut');
    await untilText('#connection', /reason1006 .*cut/);
    await untilText('#connection', /next attemptin \d/);
    await untilText('#recovery-text', /^Back after .*: [\d,]+ numbers recovered, none missing, none twice\.$/);
    expect(await figure('#recovery-figures', 'recovered')).toBeGreaterThan(0);
    expect(await figure('#recovery-figures', 'missing')).toBe(0);
    expect(await figure('#recovery-figures', 'twice')).toBe(0);
    expect(await figure('#connection', 'connections lost')).toBe(1);
    expect(complaints).toEqual([]);
  });

  it('shows 1,000 updates a second, or fewer on request, operated by keyboard only', async () => {
    await open();
    await page.focus('input[name=speed]:checked');
    await page.keyboard.press('ArrowRight');
    await untilText('#ticker-topic', /^ticks\.demo-fast$/);
    await untilFigure('updates a second', (updates) => updates > 300);
    await page.keyboard.press('Tab');
    for (let step = 0; step < 4; step++) await page.keyboard.press('ArrowLeft');
    expect(await text('#rate-text')).toBe('2 a second');
    expect(await page.getAttribute('#rate', 'aria-valuetext')).toBe('2 a second');
    // Two batches a second of eight companies.
    await untilFigure('updates a second', (updates) => updates <= 24);
    await untilFigure('left out a second', (left) => left > 300);
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    expect(await page.inputValue('#symbol')).toBe('QUIL');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.locator('details').getAttribute('open')).toBe('');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await untilText('#recovery-text', /^Cut after number/);
    expect(complaints).toEqual([]);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`fits a phone, ${colorScheme}`, async () => {
      await open({ viewport: { width: 390, height: 844 }, colorScheme });
      await untilText('#score', /\d–\d/);
      await page.click('summary');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      const [red = 0] = String(background).match(/\d+/g)?.map(Number) ?? [];
      expect(red > 128).toBe(colorScheme === 'light');
    });
  }
});
