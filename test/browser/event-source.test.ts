import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const chromium = chromiumPath();
/** Of the producer, after each four publications. Shorter by hand: in a long cut a client then misses more than it may recover, and is told so. */
const PAUSE_MS = Number(process.env.PAUSE_MS ?? 2 + Number(process.env.CUT_MS ?? 300) / 1000);
/** How long nothing reaches a node in the cut. Longer by hand: `CUT_MS=30000`. */
const CUT_MS = Number(process.env.CUT_MS ?? 300);
const randomInt = (max: number) => Math.floor(Math.random() * max);
const TOPICS = ['scores.a', 'scores.b', 'news.c'];

interface Heard {
  readonly numbers: Record<string, number[]>;
  readonly recovered: boolean[];
  readonly resyncs: number;
  readonly opened: number;
}

describe.runIf(chromium !== undefined)('the browser’s own EventSource, without a line of ours', () => {
  let nats: NatsServer;
  let nodes: TestNode[];
  let proxy: TestProxy;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    nats = await startNatsServer();
    const settings = { 'nats.url': nats.url, 'auth.allowQueryToken': true, namespaces: { scores: {}, news: { public: true } } };
    nodes = await Promise.all([TestNode.start(settings), TestNode.start(settings)]);
    proxy = await TestProxy.start((nodes[0] as TestNode).running.port);
    browser = await launchChromium(chromium as string);
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await proxy?.stop();
    await Promise.all((nodes ?? []).map((node) => node.stop()));
    await nats?.stop();
  });

  it(
    'gets every number once and in order, over cuts at any byte, on both nodes, and after a time without any',
    async () => {
      const query = TOPICS.map((topic) => `topic=${topic}`).join('&');
      const url = `http://127.0.0.1:${proxy.port}/sse?${query}&token=${await tokenOf()}`;
      await page.evaluate((address) => {
        // biome-ignore lint/suspicious/noExplicitAny: a page without a build
        const kept: any = { numbers: {}, recovered: [], resyncs: 0, opened: 0 };
        Object.assign(globalThis, { kept });
        const source = new EventSource(address);
        const take = (event: Event) => {
          const { topic, items } = JSON.parse((event as MessageEvent).data);
          kept.numbers[topic] ??= [];
          for (const [, , value] of items) kept.numbers[topic].push(value.n);
        };
        source.addEventListener('open', () => kept.opened++);
        source.addEventListener('batch', take);
        source.addEventListener('subscribed', (event) => {
          kept.recovered.push(JSON.parse((event as MessageEvent).data).recovered);
          take(event);
        });
        source.addEventListener('resync', () => kept.resyncs++);
      }, url);
      const heard = () => page.evaluate(() => (globalThis as unknown as { kept: Heard }).kept);
      await until('the stream', async () => (await heard()).recovered.length === 3);

      let published = 0;
      let isOver = false;
      const producing = (async () => {
        while (!isOver) {
          const topic = TOPICS[published % 3] as string;
          await nodes[published % 2]?.publish(topic, { n: published++, text: 'x'.repeat(randomInt(200)) });
          if (published % 4 === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
      })();
      for (let cut = 1; cut <= 4; cut++) {
        await proxy.cutAfter(randomInt(20_000), cut % 2 === 0 ? 'reset' : 'end');
        proxy.target((nodes[cut % 2] as TestNode).running.port);
        if (cut === 4) {
          proxy.refusing = true;
          await new Promise((resolve) => setTimeout(resolve, CUT_MS));
          proxy.refusing = false;
        }
        await until(`opened again after cut ${cut}`, async () => (await heard()).opened === cut + 1);
      }
      isOver = true;
      await producing;
      const count = ({ numbers }: Heard) => Object.values(numbers).flat().length;
      await until('everything', async () => {
        const kept = await heard();
        // No number that is missing would come any more.
        if (kept.resyncs > 0 || kept.recovered.slice(3).includes(false))
          throw new Error(`told that what it missed is gone, of ${published}`);
        return count(kept) >= published;
      });
      const { numbers, recovered, resyncs } = await heard();
      for (const [index, topic] of TOPICS.entries()) {
        expect(numbers[topic]).toEqual(Array.from({ length: published }, (_, n) => n).filter((n) => n % 3 === index));
      }
      expect([recovered.slice(3).includes(false), resyncs]).toEqual([false, 0]);
      console.log(`${published} publications to 3 topics, 4 cuts, the last of ${CUT_MS} ms: each number once and in order`);
    },
    120_000 + 2 * CUT_MS,
  );
});
