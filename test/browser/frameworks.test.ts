import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaseServer } from '../client/case-server.ts';
import { chromiumPath, launchChromium } from '../support/chromium.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLIENT = fileURLToPath(new URL('../../src/client/index.ts', import.meta.url));
const GUIDE = readFileSync(new URL('../../src/client/README.md', import.meta.url), 'utf8');

/** A page around the guide's example: a list of the topic's keys, another that is shown later, and a button for that. */
const APPS: Readonly<Record<string, string>> = {
  react: `
    import { createElement as h, StrictMode } from 'react';
    import { createRoot } from 'react-dom/client';
    function List({ id }) {
      const { items, live, error } = useTopic(client, topic);
      const texts = [...items.values()].map(({ key, data }) => key + '=' + data.n).sort();
      return h('p', { id, 'data-live': String(live), 'data-error': error?.code ?? '' }, texts.join(' '));
    }
    function App() {
      const [lists, setLists] = useState({ first: true, late: false });
      const button = (name) => h('button', { id: 'toggle-' + name, onClick: () => setLists({ ...lists, [name]: !lists[name] }) }, name);
      return h('main', null, button('first'), button('late'), lists.first && h(List, { id: 'first' }), lists.late && h(List, { id: 'late' }));
    }
    createRoot(document.body).render(h(StrictMode, null, h(App)));
  `,
  vue: `
    import { createApp, h, reactive } from 'vue';
    const List = {
      props: ['id'],
      setup({ id }) {
        const { items, live, error } = useTopic(client, topic);
        return () => {
          const texts = [...items.values()].map(({ key, data }) => key + '=' + data.n).sort();
          return h('p', { id, 'data-live': String(live.value), 'data-error': error.value?.code ?? '' }, texts.join(' '));
        };
      },
    };
    const App = {
      setup() {
        const lists = reactive({ first: true, late: false });
        const button = (name) => h('button', { id: 'toggle-' + name, onClick: () => { lists[name] = !lists[name]; } }, name);
        return () => h('main', [button('first'), button('late'), lists.first && h(List, { id: 'first' }), lists.late && h(List, { id: 'late' })]);
      },
    };
    createApp(App).mount(document.body);
  `,
};
const FENCES: Readonly<Record<string, string>> = { react: 'jsx', vue: 'javascript' };

/** The guide's example as it stands, and a page that uses it. */
async function bundlePage(framework: string, url: string, topic: string): Promise<string> {
  const [, example] = new RegExp(`^\`\`\`${FENCES[framework]}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(GUIDE) ?? [];
  if (example === undefined) throw new Error(`no example for ${framework} in src/client/README.md`);
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createClient } from '@stentor-broadcast/client';
        ${example}
        const topic = ${JSON.stringify(topic)};
        const client = createClient({ url: ${JSON.stringify(url)}, backoff: { baseMs: 2, maxMs: 50, jitterMs: 5 } });
        globalThis.client = client;
        ${APPS[framework]}`,
      resolveDir: ROOT,
    },
    alias: { '@stentor-broadcast/client': CLIENT },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // As a build for production has them: Vue's compiler for templates, which is not used here, would need eval.
    define: {
      'process.env.NODE_ENV': '"production"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    },
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0]?.text as string;
}

const chromium = chromiumPath();

describe.runIf(chromium !== undefined)('the guide’s examples for frameworks', () => {
  let server: CaseServer;
  let browser: Browser;
  let script = '';

  beforeAll(async () => {
    server = await CaseServer.start(() => script);
    browser = await launchChromium(chromium as string);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it.each(['react', 'vue'])(
    '%s: components share a subscription, a late one begins with the state, and the last to go unsubscribes',
    async (framework) => {
      const topic = `keyed.${framework}`;
      script = await bundlePage(framework, `ws://127.0.0.1:${server.proxy.port}/ws`, topic);
      await server.run('publish', topic, { n: 1 }, 'a');
      const page: Page = await browser.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        // Chromium complains of every connection that is refused, and one is, on purpose.
        if (message.type() === 'error' && !message.text().startsWith('WebSocket connection')) complaints.push(message.text());
      });
      const shows = (id: string, text: string) => page.locator(`#${id}[data-live=true]`, { hasText: new RegExp(`^${text}$`) }).waitFor();
      await page.goto(server.url);
      await shows('first', 'a=1');
      await server.run('publish', topic, { n: 2 }, 'b');
      await shows('first', 'a=1 b=2');
      await page.click('#toggle-late');
      await shows('late', 'a=1 b=2');
      await server.run('publish', topic, null, 'a');
      await server.run('publish', topic, { n: 3 }, 'b');
      await Promise.all([shows('first', 'b=3'), shows('late', 'b=3')]);
      // Stale while there is no connection, and live again after it.
      await server.run('proxy', { refusing: true });
      await server.run('cut');
      await page.locator('#first[data-live=false]').waitFor();
      await server.run('publish', topic, { n: 4 }, 'c');
      await server.run('proxy', { refusing: false });
      await Promise.all([shows('first', 'b=3 c=4'), shows('late', 'b=3 c=4')]);
      await page.click('#toggle-first');
      await server.run('publish', topic, { n: 5 }, 'c');
      await shows('late', 'b=3 c=5');
      await page.click('#toggle-late');
      await page.waitForFunction(
        (name) => !(globalThis as unknown as { client: { topic(topic: string): { isActive: boolean } } }).client.topic(name).isActive,
        topic,
      );
      expect(complaints).toEqual([]);
      await page.close();
    },
  );
});
