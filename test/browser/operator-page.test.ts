import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { ADMIN_TOKEN, NodeProcess } from '../support/node-process.ts';
import { sign, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();
const TOKEN = 'the-operators-token';
/** Whether a line was drawn: pixels of a canvas that are not clear. */
const DRAWN = `(() => {
  const canvas = document.querySelector('figure[data-field=connections] canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value) => value !== 0);
})()`;

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
    await untilText('#confirm-text', /All subscribers of scores\.a get it/);
    await page.click('#confirm-no');
    await page.click('#publish button');
    await page.click('#confirm-yes');
    const batch = await client.next('batch');
    expect(batch.items[0]?.[2]).toEqual({ home: 1 });
    await untilText('#publish-outcome', new RegExp(`^stored at offset ${batch.items[0]?.[0]}$`));
    await page.fill('#publish-topic', 'nowhere.a');
    await page.keyboard.press('Enter');
    await page.click('#confirm-yes');
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

  it('begins with what needs attention, each with a link to what to do', async () => {
    await open();
    await page.waitForSelector('#problems-none:not([hidden])');
    const client = await node.connect();
    await expect(client.subscribe('nowhere.a')).rejects.toThrow();
    await untilText('#problems', /1 × the error unknown_namespace/);
    expect(await page.isVisible('#problems-none')).toBe(false);
    const [help] = await Promise.all([page.waitForEvent('popup'), page.click('#problems a')]);
    await help.waitForLoadState();
    expect(help.url()).toContain('help.html#error-unknown_namespace');
    expect(await help.locator('h3:target').textContent()).toBe('unknown_namespace');
    expect(await help.locator('h3:target + p').textContent()).toContain('is not under namespaces');
    await help.setViewportSize({ width: 390, height: 844 });
    expect(await help.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await help.close();
  });

  it('draws the last hour of each node, and of all together', async () => {
    const nats = await startNatsServer();
    const settings = { 'nats.url': nats.url, 'tuning.hub.announceIntervalMs': 200, 'tuning.admin.seriesIntervalMs': 200 };
    const second = await TestNode.start({ ...settings, nodeId: 'second' });
    try {
      for (let n = 0; n < 3; n++) await (await second.connect()).subscribe('scores.a');
      await open({ ...settings, nodeId: 'first' });
      await (await node.connect()).subscribe('scores.a');
      await page.waitForSelector('#charts-node:not([hidden])');
      expect(await page.locator('#charts canvas').count()).toBe(8);
      await untilText('figure[data-field=connections] b', /^4$/);
      await page.selectOption('#charts-node', 'second');
      await untilText('figure[data-field=connections] b', /^3$/);
      await untilText('figure[data-field=memoryBytes] b', /MiB$/);
      await until('something to be drawn', async () => page.evaluate(DRAWN));
    } finally {
      await second.stop();
      await node.stop();
      await nats.stop();
      node = await TestNode.start();
    }
  });

  it('finds a user and its connections, and disconnects after a question', async () => {
    await open({ 'admin.token': TOKEN });
    const ann = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'ann' }) });
    await ann.subscribe('scores.a');
    await unlock();
    await page.fill('#find-text', 'ann');
    await page.keyboard.press('Enter');
    await untilText('#found-users', /^ann1disconnect all$/);
    await untilText('#found-connections', /annnode-.*disconnect$/);
    await page.click('#found-connections button');
    await untilText('#confirm-text', /Close the connection node-/);
    await page.keyboard.press('Escape');
    expect(ann.socket.readyState).toBe(1);
    await page.click('#found-connections button');
    await page.click('#confirm-yes');
    expect(await ann.closed).toMatchObject({ code: 4010 });
    await untilText('#find-done', /^1 connection closed$/);
    await untilText('#find-outcome', /Nothing found/);
    await page.fill('#find-text', 'scores.');
    await page.keyboard.press('Enter');
    await untilText('#found-topics', /^scores\.a/);
    await untilText('#find-done', /^$/);
  });

  it('asks about a user whose name turns the direction of writing, or has HTML, as what it is', async () => {
    await open({ 'admin.token': TOKEN });
    for (const [sub, shown] of [
      ['ann\u202e;eve', 'ann\ufffd;eve'],
      ['ann<img src=x onerror=alert(1)>', 'ann<img src=x onerror=alert(1)>'],
    ] as const) {
      const client = await node.connect({ encoding: 'json', token: await tokenOf({ sub }) });
      await client.next('connected');
      if (await page.isVisible('#token-form')) await unlock();
      await page.fill('#find-text', sub);
      await page.keyboard.press('Enter');
      await page.click('#found-users button[data-action=end-user]');
      expect(await page.textContent('#confirm-text')).toContain(`all connections of ${shown}, on all nodes`);
      await page.click('#confirm-yes');
      expect(await client.closed).toMatchObject({ code: 4010 });
      await untilText('#find-done', /^1 connection closed$/);
    }
    expect(await page.locator('main img').count()).toBe(0);
  });

  it('shows a topic: its members, its rate and its last items', async () => {
    await open({ 'namespaces.scores.presence': 'members', 'namespaces.scores.public': true });
    const ann = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'ann' }) });
    await ann.subscribe('scores.a');
    for (let n = 1; n <= 3; n++) await node.publish('scores.a', { n });
    await untilText('#topics', /^scores\.a/);
    await page.click('#topics button');
    await untilText('#topic-title', /^scores\.a$/);
    await untilText('#topic-figures', /members1/);
    await untilText('#topic-items', /\{"n":3\}.*\{"n":2\}.*\{"n":1\}/);
    await untilText('#topic-members', /^ann/);
    await node.publish('scores.a', { html: '<b>4</b>' });
    await untilText('#topic-items', /<b>4<\/b>/);
    expect(await page.locator('#topic-items b').count()).toBe(0);
    await page.click('#topic-close');
    expect(await page.isVisible('#topic')).toBe(false);
  });

  it('drains a node after a question; one that is embedded refuses', async () => {
    await open({ 'admin.token': TOKEN });
    await unlock();
    await page.click('#drain');
    await untilText('#confirm-title', new RegExp(`^Drain ${node.running.nodeId}\\?$`));
    await page.click('#confirm-yes');
    await untilText('#drain-outcome', /^unsupported: this node is embedded/);

    const process = NodeProcess.launch({ nodeId: 'to-drain', workers: 0 });
    try {
      await process.untilStarted(0);
      const client = await process.connect();
      await page.goto(`http://127.0.0.1:${process.adminPort}/`);
      await unlock(ADMIN_TOKEN);
      await page.click('#drain');
      await page.click('#confirm-yes');
      await untilText('#drain-outcome', /^It drains/);
      expect(await client.closed).toMatchObject({ code: 4200 });
      expect((await process.ended).code).toBe(0);
    } finally {
      await process.stop();
      complaints = complaints.filter((text) => !text.includes(String(process.adminPort)));
    }
  });

  it('fits a phone also with names and data as long as they may be', async () => {
    const settings = { 'admin.token': TOKEN, 'namespaces.scores.presence': 'members', 'namespaces.scores.public': true };
    await open(settings, { viewport: { width: 390, height: 844 } });
    const sub = 'u'.repeat(256);
    const topic = `scores.${'t'.repeat(64)}.${'t'.repeat(64)}.${'t'.repeat(60)}`;
    const claims = { sub, exp: Date.now() / 1000 + 600, stentor: { subscribe: ['>'], info: { name: 'i'.repeat(800) } } };
    const client = await node.connect({ encoding: 'json', token: await sign(claims) });
    await client.subscribe(topic);
    await node.publish(topic, 'd'.repeat(5000));
    await unlock();
    await untilText('#topics', /tttt/);
    for (const summary of await page.locator('details.fold:visible > summary').all()) await summary.click();
    const width = () => page.evaluate('document.documentElement.scrollWidth');
    for (const text of [sub, topic]) {
      await page.fill('#find-text', text);
      await page.keyboard.press('Enter');
      await page.locator('#found button:visible', { hasText: text }).first().waitFor();
      expect(await width()).toBeLessThanOrEqual(390);
    }
    await page.click('#found-topics button');
    await untilText('#topic-items', /ddd/);
    await untilText('#topic-members', /iii/);
    expect(await width()).toBeLessThanOrEqual(390);
    await page.fill('#find-text', sub);
    await page.keyboard.press('Enter');
    await page.click('#found-users button[data-action=end-user]');
    const dialog = await page.locator('#confirm').boundingBox();
    expect(dialog?.width).toBeLessThanOrEqual(390);
    expect(await page.locator('#confirm-yes').isVisible()).toBe(true);
    const button = await page.locator('#confirm-yes').boundingBox();
    expect(button!.y + button!.height).toBeLessThanOrEqual(844);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`fits a phone, ${colorScheme}`, async () => {
      await open({ 'admin.token': TOKEN }, { viewport: { width: 390, height: 844 }, colorScheme });
      const client = await node.connect();
      await client.subscribe(`scores.${'a-rather-long-name-of-a-topic-'.repeat(2)}x`);
      await unlock();
      await untilText('#topics', /rather-long/);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      // Cards are closed, and each says its most important figure.
      expect(await page.isVisible('#topics')).toBe(false);
      expect(await page.textContent('#topics-brief')).toBe('1');
      expect(await page.evaluate<number>('document.documentElement.scrollHeight')).toBeLessThan(1700);
      for (const summary of await page.locator('details.fold:visible > summary').all()) await summary.click();
      expect(await page.isVisible('#topics')).toBe(true);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    });
  }
});
