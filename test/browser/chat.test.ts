import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CliProcess } from '../cli/run-cli.ts';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();

/** A demo node, started as the guide says, on free ports. */
async function demoNode(natsUrl: string, ...args: string[]): Promise<{ process: CliProcess; url: string }> {
  const ports = ['--port', String(freePort()), '--admin-port', '0', '--workers', '1', '--set', 'log.pretty=false'];
  const process = new CliProcess(['serve', '--demo', '--nats-url', natsUrl, ...ports, ...args]);
  const [, url = ''] = await process.until(/the chat sample +http:\/\/localhost(:\d+\/chat)\n/);
  return { process, url: `http://127.0.0.1${url}` };
}

describe.runIf(chromium !== undefined)('the chat sample on two nodes', () => {
  let nats: NatsServer;
  let nodes: { process: CliProcess; url: string }[];
  let browser: Browser;
  let visitors: Visitor[];
  /** Each test has its own, because a member stays for a moment after its page. */
  let room = 0;

  beforeAll(async () => {
    browser = await launchChromium(chromium as string);
    nats = await startNatsServer();
    nodes = [await demoNode(nats.url), await demoNode(nats.url, '--no-feeds')];
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all((nodes ?? []).map(({ process }) => process.kill()));
    await nats?.stop();
  });
  beforeEach(() => {
    visitors = [];
    room++;
  });
  afterEach(async () => {
    for (const { page, complaints } of visitors) {
      await page.context().close();
      expect(complaints).toEqual([]);
    }
  });

  /** Somebody in a browser of their own, in a room of this test. */
  async function join(name: string, node: 0 | 1, options: Parameters<Browser['newContext']>[0] = {}): Promise<Visitor> {
    const context = await browser.newContext(options);
    const visitor = new Visitor(await context.newPage(), name);
    visitors.push(visitor);
    await visitor.page.goto(`${nodes[node]?.url}#room-${room}`);
    await visitor.page.fill('#name', name);
    await visitor.page.keyboard.press('Enter');
    await visitor.sees('#state', /^connected$/);
    return visitor;
  }

  it('shows who is in the room, and who joins and leaves', async () => {
    const ann = await join('Ann', 0);
    const bob = await join('Bob', 1);
    await ann.sees('#people', /Ann.*you.*Bob/);
    await bob.sees('#people', /Bob.*you.*Ann/);
    await ann.sees('#messages', /Bob has joined/);
    await bob.page.click('#leave');
    await ann.sees('#messages', /Bob has left/);
    await bob.page.waitForSelector('#join', { state: 'visible' });
    expect(await ann.text('#people')).not.toContain('Bob');
  });

  it('shows who types, until they have sent their message, or have stopped', async () => {
    const ann = await join('Ann', 0);
    const bob = await join('Bob', 1);
    await ann.sees('#people', /Bob/);
    await ann.page.type('#text', 'hel');
    await bob.sees('#typing', /^Ann is typing …$/);
    expect(await ann.text('#typing')).toBe('');
    await ann.page.type('#text', 'lo');
    await ann.page.keyboard.press('Enter');
    await bob.sees('#messages', /Ann.*hello/);
    expect(await bob.text('#typing')).toBe('');
    await bob.page.type('#text', 'I …');
    await ann.sees('#typing', /^Bob is typing …$/);
    await ann.sees('#typing', /^$/);
  });

  it('delivers messages cleaned, shows them as text, and keeps & as it is', async () => {
    const ann = await join('Ann', 0);
    const bob = await join('Zoë', 1);
    await bob.sees('#people', /Ann/);
    await ann.say('Q&A <img src=x onerror="document.title=1"> <b>now</b> <3');
    await ann.say('javascript:alert(1) &lt;b&gt;');
    await bob.sees('#messages', /Q&A {2}now <3/);
    await bob.sees('#messages', /javascript:alert\(1\) &lt;b&gt;/);
    for (const { page } of [ann, bob]) {
      expect(await page.locator('#messages img, #messages b:not(.head b)').count()).toBe(0);
      expect(await page.title()).toBe('Stentor demo: chat');
    }
    await until('the frames', () => bob.received.includes('javascript:'));
    expect(bob.received.includes('onerror')).toBe(false);
  });

  it('brings direct messages to one user, and to nobody else', async () => {
    const ann = await join('Ann', 0);
    const zoe = await join('Zoë', 1);
    const eve = await join('Eve', 1);
    await ann.sees('#people', /Zoë/);
    await ann.page.click('#people button:has-text("Zoë")');
    await ann.sees('#talk-title', /^Zoë and you$/);
    await ann.say('a secret of two');
    await ann.sees('#messages', /Ann.*a secret of two/);
    await zoe.sees('#directs', /^Ann1$/);
    await zoe.page.click('#directs button');
    await zoe.sees('#messages', /Ann.*a secret of two/);
    await zoe.sees('#directs', /^Ann$/);
    await zoe.say('and an answer');
    await ann.sees('#messages', /Zoë.*and an answer/);
    await ann.page.click(`#rooms button:has-text("# room-${room}")`);
    await ann.say('for everybody');
    await eve.sees('#messages', /for everybody/);
    // A frame may be reported later than what the page shows of it.
    await until('the frames', () => eve.received.includes('for everybody') && zoe.received.includes('a secret of two'));
    expect(eve.received.includes('a secret of two') || eve.received.includes('and an answer')).toBe(false);
    expect(await eve.text('#directs')).toBe('');
    await zoe.page.reload();
    await zoe.page.click('#directs button');
    await zoe.sees('#messages', /a secret of two.*and an answer/);
  });

  it('has the messages after a reload, older ones on request, and each once', async () => {
    const ann = await join('Ann', 0);
    const bob = await join('Bob', 1);
    await ann.sees('#people', /Bob/);
    const texts = Array.from({ length: 60 }, (_, n) => `song ${n}`);
    for (const text of texts) await ann.say(text);
    await bob.sees('#messages', /song 59/);
    const shown = () => bob.page.locator('#messages .text').allTextContents();
    expect(await shown()).toEqual(texts);
    await bob.page.reload();
    await bob.sees('#messages', /song 59/);
    expect(await shown()).toEqual(texts.slice(-25));
    for (const count of [50, 60]) {
      await bob.page.click('#earlier');
      await until('earlier messages', async () => (await shown()).length >= count);
      expect(await shown()).toEqual(texts.slice(-count));
    }
    await bob.page.waitForSelector('#earlier', { state: 'hidden' });
    await ann.say('the last one');
    await bob.sees('#messages', /the last one/);
    expect(await shown()).toEqual([...texts, 'the last one']);
  });

  it('can be used by keyboard only', async () => {
    const ann = await join('Ann', 0);
    const bob = await join('Bob', 1);
    await ann.sees('#people', /Bob/);
    const press = (key: string) => ann.page.keyboard.press(key);
    const focused = () => ann.page.evaluate('document.activeElement.textContent || document.activeElement.id');
    expect(await focused()).toBe('text');
    for (let tab = 0; tab < 2; tab++) await press('Tab');
    expect(await focused()).toMatch(/^Bob/);
    await press('Enter');
    await ann.sees('#talk-title', /^Bob and you$/);
    expect(await focused()).toBe('text');
    await ann.page.keyboard.type('by keyboard');
    await press('Enter');
    await bob.sees('#directs', /^Ann1$/);
  });

  it('says why a name or a message is refused, and loses no text', async () => {
    const ann = await join('Ann', 0);
    await ann.say(`<b>${'☃'.repeat(400)}`);
    await ann.sees('#failure', /longer than 1024 bytes/);
    expect(await ann.page.inputValue('#text')).toBe(`<b>${'☃'.repeat(400)}`);
    await ann.page.click('#leave');
    await ann.page.fill('#name', '<script>');
    await ann.page.keyboard.press('Enter');
    await ann.sees('#join-problem', /^a name has 1 to 24 letters/);
    ann.complaints.length = 0;
  });

  for (const width of [390, 1400]) {
    it(`fits a width of ${width}`, async () => {
      const ann = await join('Ann', 0, { viewport: { width, height: 844 } });
      await ann.say(`${'long'.repeat(60)} ${'and words '.repeat(20)}`);
      await ann.sees('#messages', /and words/);
      expect(await ann.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    });
  }

  it('is closed where the operator has keys of their own', async () => {
    const node = await TestNode.start({}, { demo: { feeds: false } });
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${node.running.port}/chat`);
    await page.fill('#name', 'Ann');
    await page.keyboard.press('Enter');
    await page.locator('#join-problem', { hasText: /This node gives no tokens/ }).waitFor();
    await page.close();
    await node.stop();
  });
});

class Visitor {
  readonly page: Page;
  readonly name: string;
  /** What should not happen in a page. */
  readonly complaints: string[] = [];
  /** Everything that its sockets have received. */
  received = '';

  constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('dialog', (dialog) => this.complaints.push(dialog.message()));
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        this.received += payload.toString();
      }),
    );
  }

  async say(text: string): Promise<void> {
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).textContent()) ?? '';
  }

  sees(selector: string, pattern: RegExp): Promise<void> {
    return this.page.locator(selector, { hasText: pattern }).waitFor({ state: 'attached', timeout: 30_000 });
  }
}
