import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { TestNode } from '../support/node.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();
const NAMESPACES = {
  scores: { public: true },
  books: { public: true, state: 'document', documentBytesMax: 1_000_000, maxPayloadBytes: 1_000_000, documentFieldsMax: 100_000 },
  chat: {},
};

interface Opened {
  readonly states: number[];
  readonly events: Record<string, unknown>[];
}

describe.runIf(chromium !== undefined)('pages with EventSource', () => {
  let browser: Browser;
  let site: Server;
  let page: Page;
  let node: TestNode;
  /** Of the page: another host and port than the node's. */
  let origin: string;

  beforeAll(async () => {
    browser = await launchChromium(chromium as string);
    site = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>site</title>'));
    site.listen(0, 'localhost');
    await once(site, 'listening');
    origin = `http://localhost:${(site.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });
  afterEach(async () => {
    await page.close();
    await node.stop();
  });

  async function start(settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
    node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
    page = await browser.newPage();
    await page.goto(origin);
    await page.evaluate(() => Object.assign(globalThis, { opened: [], sources: [] }));
  }

  /** @returns its number */
  const open = (query: string, init: EventSourceInit = {}): Promise<number> =>
    page.evaluate(
      ([url, options]) => {
        // biome-ignore lint/suspicious/noExplicitAny: a page without a build
        const { opened, sources } = globalThis as any;
        const one: Opened = { states: [], events: [] };
        const source = new EventSource(url as string, options as EventSourceInit);
        source.addEventListener('open', () => one.states.push(source.readyState));
        source.addEventListener('error', (event) => {
          // One with data is a message of the node.
          if (!('data' in event)) one.states.push(source.readyState);
        });
        for (const type of ['connected', 'subscribed', 'batch', 'resync', 'error', 'closed', 'lagged']) {
          source.addEventListener(type, (event) => {
            const { data } = event as MessageEvent;
            if (data !== undefined) one.events.push(JSON.parse(data));
          });
        }
        sources.push(source);
        return opened.push(one) - 1;
      },
      [`http://127.0.0.1:${node.running.port}/sse?${query}`, init] as const,
    );
  const state = (at: number): Promise<Opened> =>
    page.evaluate((which) => (globalThis as unknown as { opened: Opened[] }).opened[which]!, at);
  const statesOf = async (at: number) => (await state(at)).states;
  const eventsOf = async (at: number, type: string) => (await state(at)).events.filter((event) => event.type === type);
  const OPEN = 1;
  const CLOSED = 2;

  it('are served if their origin is in allowedOrigins, with the token in the query', async () => {
    await start({ allowedOrigins: [origin], 'auth.allowQueryToken': true });
    const at = await open(`topic=chat.a&token=${await tokenOf({ sub: 'ann' })}`);
    await until('the subscription', async () => (await eventsOf(at, 'subscribed')).length === 1);
    expect(await eventsOf(at, 'connected')).toMatchObject([{ user: 'ann' }]);
    await node.publish('chat.a', 'hi');
    await until('the publication', async () => (await eventsOf(at, 'batch')).length === 1);
    expect(await statesOf(at)).toEqual([OPEN]);
  });

  it('are refused once, and do not come back, if their request can never be served', async () => {
    await start({ allowedOrigins: [origin], 'auth.allowQueryToken': true });
    const wrong = [
      'topics=scores.a',
      'topic=scores.*',
      'topic=scores.a&token=x.y.z',
      Array.from({ length: 51 }, (_, n) => `topic=scores.t${n}`).join('&'),
    ];
    for (const query of wrong) {
      const at = await open(query);
      await until(`${query.slice(0, 30)} to end`, async () => (await statesOf(at)).length > 0);
      expect([query.slice(0, 30), await statesOf(at)]).toEqual([query.slice(0, 30), [CLOSED]]);
    }
    // Cookies are never used. A page that would send them gets no answer that its browser lets it read.
    const withCookies = await open('topic=scores.a', { withCredentials: true });
    await until('the end', async () => (await statesOf(withCookies)).length > 0);
    expect(await statesOf(withCookies)).toEqual([CLOSED]);
    await node.untilMetric('stentor_connections', (count) => count === 0);
  });

  it('are refused if their origin is not in allowedOrigins', async () => {
    await start({ allowedOrigins: ['https://example.org'] });
    const at = await open('topic=scores.a');
    await until('the end', async () => (await statesOf(at)).length > 0);
    expect(await statesOf(at)).toEqual([CLOSED]);
    expect(await node.metric('stentor_connections_opened_total')).toBe(0);
  });

  it('have six connections to a host: the seventh stream waits for one of them to end, and then gets everything', async () => {
    await start();
    for (let n = 0; n < 7; n++) await open(`topic=scores.s${n}`);
    await until('six streams', async () =>
      (await Promise.all([0, 1, 2, 3, 4, 5].map((at) => statesOf(at)))).every(([first]) => first === OPEN),
    );
    expect(await statesOf(6)).toEqual([]);
    await page.evaluate(() => (globalThis as unknown as { sources: EventSource[] }).sources[2]?.close());
    await until('the seventh', async () => (await eventsOf(6, 'subscribed')).length === 1);
    await node.publish('scores.s6', 'x');
    await until('its publication', async () => (await eventsOf(6, 'batch')).length === 1);
  });

  it('get large documents whole, and each change once', async () => {
    await start();
    const levels = Object.fromEntries(Array.from({ length: 14_000 }, (_, n) => [`level-${n}`, `${'é'.repeat(20)}${n}`]));
    await node.publish('books.a', levels, { image: true });
    const at = await open('topic=books.a');
    await until('the document', async () => (await eventsOf(at, 'subscribed')).length === 1);
    for (let n = 0; n < 50; n++) await node.publish('books.a', { [`level-${n}`]: null, last: n });
    const items = async () => {
      const { events } = await state(at);
      return events.flatMap((event) => (event.items ?? []) as [number, null, Record<string, unknown>, unknown][]);
    };
    await until('the last change', async () => (await items()).at(-1)?.[2].last === 49);
    const [document = {}, ...patches] = (await items()).map(([, , data]) => data);
    expect(Object.keys(document)).toHaveLength(14_000);
    for (const patch of patches) {
      for (const [name, value] of Object.entries(patch)) {
        if (value === null) delete document[name];
        else document[name] = value;
      }
    }
    const expected: Record<string, unknown> = { ...levels, last: 49 };
    for (let n = 0; n < 50; n++) delete expected[`level-${n}`];
    expect(document).toEqual(expected);
  });

  it('that do not read for a while miss nothing, and get nothing twice', async () => {
    await start({ 'tuning.fanout.lagThresholdBytes': 16_384 });
    const at = await open('topic=scores.busy');
    await until('the subscription', async () => (await eventsOf(at, 'subscribed')).length === 1);
    const blocked = page.evaluate(async () => {
      const endMs = performance.now() + 3000;
      while (performance.now() < endMs);
    });
    const text = 'x'.repeat(5000);
    // More than the sockets and the browser take unread.
    for (let n = 0; n < 4000; n++) await node.publish('scores.busy', { n, text });
    await blocked;
    const numbers = async () =>
      (await state(at)).events.flatMap(({ type, items }) =>
        type === 'batch' ? (items as [number, null, { n: number }][]).map(([, , { n }]) => n) : [],
      );
    // Looked for in the page: all that it has is 20 MB.
    const last = () =>
      page.evaluate((which) => {
        const { events } = (globalThis as unknown as { opened: Opened[] }).opened[which]!;
        const items = events.findLast(({ type }) => type === 'batch')?.items as [number, null, { n: number }][] | undefined;
        return items?.at(-1)?.[2].n;
      }, at);
    await until('the last', async () => (await last()) === 3999);
    expect(await numbers()).toEqual(Array.from({ length: 4000 }, (_, n) => n));
    expect(await statesOf(at)).toEqual([OPEN]);
  });
});
