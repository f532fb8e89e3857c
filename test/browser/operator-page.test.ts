import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { NodeProcess } from '../support/node-process.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();
const TOKEN = 'the-operators-token';

describe.runIf(chromium !== undefined)("the operator's page", () => {
  let node: TestNode;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const untilText = (selector: string, pattern: RegExp) => page.locator(selector, { hasText: pattern }).waitFor({ state: 'attached' });

  async function open(settings: Record<string, unknown> = {}, options: Parameters<Browser['newPage']>[0] = {}): Promise<void> {
    node = await TestNode.start(settings);
    page = await browser.newPage(options);
    complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(`http://127.0.0.1:${node.running.adminPort}/`) && !request.url().startsWith('data:'))
        complaints.push(request.url());
    });
    await page.goto(`http://127.0.0.1:${node.running.adminPort}/`);
  }

  async function unlock(token = TOKEN): Promise<void> {
    await page.waitForSelector('#token-form:not([hidden])');
    await page.fill('#token', token);
    await page.keyboard.press('Enter');
  }

  beforeAll(async () => {
    browser = await launchChromium(chromium as string);
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    expect(complaints).toEqual([]);
    await page.close();
    await node.stop();
  });

  it('shows the node, its workers, and its topics by members and by rate; and no way to publish where no token is configured', async () => {
    await open();
    const clients = await Promise.all([node.connect(), node.connect(), node.connect()]);
    for (const client of clients) await client.subscribe('scores.many');
    await clients[0]?.subscribe('scores.few');
    await untilText('#state', /^ready$/);
    await untilText('#node', new RegExp(node.running.nodeId));
    await untilText('#workers', new RegExp(`^0${process.pid}3`));
    await untilText('#topics', /^scores\.many3.*scores\.few1/);
    await page.focus('input[name=sort]:checked');
    await page.keyboard.press('ArrowRight');
    const feed = setInterval(() => void node.publish('scores.few', 1), 20);
    try {
      await untilText('#topics', /^scores\.few/);
      await untilText('#figures', /publications\/s in[1-9]/);
    } finally {
      clearInterval(feed);
    }
    expect(await page.isVisible('#publish')).toBe(false);
    expect(await page.isVisible('#publish-off')).toBe(true);
  });

  it('lists topics that are open though the last member has left them, and counts no deliveries to members that lag', async () => {
    await open({ 'tuning.fanout.lagThresholdBytes': 4096 });
    const client = await node.connect();
    await client.subscribe('scores.left');
    await client.get('unsubscribed', { type: 'unsubscribe', topic: 'scores.left' });
    await untilText('#figures', /topics open1/);
    await untilText('#topics', /^scores\.left0/);
    const slow = await node.connect({ encoding: 'json' });
    await slow.subscribe('scores.slow');
    slow.pause();
    await until('the connection to lag', async () => {
      for (let i = 0; i < 20; i++) await node.publish('scores.slow', 'x'.repeat(60_000));
      return (await node.metric('stentor_connections_lagging')) === 1;
    });
    const feed = setInterval(() => void node.publish('scores.slow', 1), 20);
    try {
      // One member, one that lags, some publications a second, no delivery.
      await untilText('#topics', /scores\.slow11[\d.]*[1-9][\d.]*0(?!\d)/);
    } finally {
      clearInterval(feed);
    }
    slow.socket.terminate();
  });

  it('shows the nodes that share its NATS, and which of them is silent', async () => {
    const nats = await startNatsServer();
    const others: (TestNode | NodeProcess)[] = [];
    try {
      const settings = { 'nats.url': nats.url, 'tuning.hub.announceIntervalMs': 200 };
      const second = await TestNode.start({ ...settings, nodeId: 'second' });
      const killed = NodeProcess.launch({ ...settings, nodeId: 'to-be-killed', workers: 0 });
      others.push(second, killed);
      await killed.untilStarted(0);
      const client = await second.connect();
      await client.subscribe('scores.a');
      await open({ ...settings, nodeId: 'first' });
      await untilText('#nodes', /^first \(this one\)ready0.*second ?ready1.*to-be-killed ?ready0/);
      await untilText('#nodes-note', /^3 nodes, 1 connection together$/);
      killed.signal('SIGKILL');
      await untilText('#nodes', /to-be-killed ?silent for /);
      others.splice(0, 1);
      await second.stop();
      await untilText('#nodes-note', /^2 nodes, 0 /);
      expect(await page.locator('#nodes', { hasText: 'second' }).count()).toBe(0);
    } finally {
      for (const other of others) await other.stop();
      await node.stop();
      await nats.stop();
      node = await TestNode.start();
    }
  });

  it('shows nothing without the token, and can forget it', async () => {
    await open({ 'admin.token': TOKEN });
    await unlock('not-the-token');
    await untilText('#problem', /admin token is wrong/);
    expect(await page.isVisible('#main')).toBe(false);
    await unlock();
    await untilText('#state', /^ready$/);
    expect(await page.isVisible('#token-form')).toBe(false);
    expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([0, 0, '']);
    expect(page.url()).not.toContain(TOKEN);
    await page.click('#token-forget');
    await page.waitForSelector('#token-form:not([hidden])');
    expect(await page.isVisible('#main')).toBe(false);
  });

  it('publishes with the token, and shows the result', async () => {
    await open({ 'admin.token': TOKEN });
    const client = await node.connect();
    await client.subscribe('scores.a');
    await unlock();
    await page.waitForSelector('#publish:not([hidden])');
    await page.fill('#publish-topic', 'scores.a');
    await page.fill('#publish-data', '{"home": 1');
    await page.click('#publish button');
    await untilText('#publish-outcome', /not valid JSON/);
    await page.fill('#publish-data', '{"home": 1}');
    await page.click('#publish button');
    const batch = await client.next('batch');
    expect(batch.items[0]?.[2]).toEqual({ home: 1 });
    await untilText('#publish-outcome', new RegExp(`^stored at offset ${batch.items[0]?.[0]}$`));
    await page.fill('#publish-topic', 'nowhere.a');
    await page.keyboard.press('Enter');
    await untilText('#publish-outcome', /^unknown_namespace: /);
  });

  it('shows errors with their meaning, and lagging connections; a hostile user name stays text', async () => {
    await open({ 'tuning.fanout.lagThresholdBytes': 4096 });
    const hostile = '<img src=x onerror=alert(1)>';
    const slow = await node.connect({ encoding: 'json', token: await tokenOf({ sub: hostile }) });
    await slow.subscribe('scores.a');
    await expect(slow.subscribe('nowhere.a')).rejects.toThrow();
    slow.socket.pause();
    await until('the connection to lag', async () => {
      for (let i = 0; i < 20; i++) await node.publish('scores.a', 'x'.repeat(60_000));
      return (await node.metric('stentor_connections_lagging')) === 1;
    });
    await untilText('#lagging', /<img src=x onerror=alert\(1\)>/);
    expect(await page.locator('#lagging img').count()).toBe(0);
    await untilText('#errors', /error sent to a client.*unknown_namespace.*not a configured namespace/);
    slow.socket.terminate();
  });

  it('shows that the node is unreachable, and keeps the last values on the page', async () => {
    await open();
    await untilText('#state', /^ready$/);
    const { nodeId } = node.running;
    await node.stop();
    await untilText('#problem', /cannot be reached/);
    await untilText('#node', new RegExp(nodeId));
    node = await TestNode.start();
    complaints = complaints.filter((url) => !url.startsWith('http://127.0.0.1'));
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`fits a phone, ${colorScheme}`, async () => {
      await open({ 'admin.token': TOKEN }, { viewport: { width: 390, height: 844 }, colorScheme });
      const client = await node.connect();
      await client.subscribe(`scores.${'a-rather-long-name-of-a-topic-'.repeat(2)}x`);
      await unlock();
      await untilText('#topics', /rather-long/);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    });
  }
});
