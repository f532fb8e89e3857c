import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { node22Binary } from '../support/node22.ts';
import { HS256_KEYS, tokenOf } from '../support/tokens.ts';
import { CLIENT, type Packages, type PackingPlace, ROOT, run } from './pack.ts';

/** Publishes, and hears it: `echo(createClient, url, token)`. */
const ECHO = `async function echo(createClient, url, token) {
  const client = createClient({ url, token });
  const topic = client.topic('chat.packed', { snapshot: true });
  const heard = new Promise((resolve) => {
    const stop = topic.subscribe(({ data }) => (stop(), resolve(data.text)));
  });
  await topic.publish({ text: 'hello' });
  const text = await heard;
  await client.close();
  return text;
}`;
const PAGE = `const [url, token] = decodeURIComponent(location.hash.slice(1)).split(' ');
echo(createClient, url, token).then((text) => { document.title = text; }, (error) => { document.title = String(error); });`;
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.map': 'application/json' };

const chromium = chromiumPath();

/** A node out of the server's tarball, and programs that reach it with the client's. */
export function useCases(packed: Packages, place: PackingPlace): void {
  describe('the packages in use', () => {
    let node: ChildProcess;
    let url: string;
    let token: string;
    /** Has the client, and `ws` for Node 20. */
    let project: string;

    beforeAll(async () => {
      const command = place.installServer(packed.server);
      const keys = `auth.keys=${JSON.stringify(HS256_KEYS)}`;
      const args = ['serve', '--port', String(freePort()), '--admin-port', '0', '--set', 'host=127.0.0.1', '--set', keys];
      node = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'inherit'], cwd: place.folder });
      url = `ws://127.0.0.1:${await portOf(node)}/ws`;
      token = await tokenOf();
      const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules/ws/package.json'), 'utf8'));
      project = await place.installClient(packed.client, 'used', `ws@${version}`);
      writeFileSync(join(project, 'module.mjs'), `import { createClient } from '${CLIENT}';\n${program()}`);
      writeFileSync(join(project, 'common.cjs'), `const { createClient } = require('${CLIENT}');\n${program()}`);
      writeFileSync(join(project, 'page.js'), `import { createClient } from '${CLIENT}';\n${ECHO}\n${PAGE}`);
    }, 120_000);
    afterAll(async () => {
      if (node === undefined || node.exitCode !== null) return;
      node.kill('SIGTERM');
      await once(node, 'exit');
    });

    const program = () => `${ECHO}\necho(createClient, process.argv[2], process.argv[3]).then(console.log);`;

    it('has a command that says its version', async () => {
      const command = join(place.folder, 'node/node_modules', packed.server.manifest.name, packed.server.manifest.bin.stentor);
      expect((await run(process.execPath, [command, '--version'], place.folder)).trim()).toBe(packed.server.manifest.version);
    });

    it.each(['module.mjs', 'common.cjs'])('reach each other from %s, on this Node and on Node 22', async (file) => {
      for (const binary of new Set([process.execPath, node22Binary()])) {
        expect((await run(binary, [file, url, token], project)).trim()).toBe('hello');
      }
    });

    it('reach each other from a bundle that esbuild makes for Node', async () => {
      const outfile = join(project, 'bundled.mjs');
      const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
      await esbuild({
        absWorkingDir: project,
        entryPoints: ['module.mjs'],
        outfile,
        bundle: true,
        platform: 'node',
        format: 'esm',
        banner,
        logLevel: 'error',
      });
      expect((await run(process.execPath, [outfile, url, token], place.project('elsewhere'))).trim()).toBe('hello');
    });

    it('start a node inside a program, as the page of the packages shows', async () => {
      const page = readFileSync(join(packed.server.folder, 'src/packages/README.md'), 'utf8');
      const [, example = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
      const flags = "host: '127.0.0.1', port: 0, 'admin.port': 0, 'log.level': 'silent'";
      expect(example).toContain('port: 8080');
      const file = join(place.folder, 'node', 'embed.mjs');
      writeFileSync(file, `${example.replace('port: 8080', flags)}\nconsole.log(node.port > 0);\nawait node.stop();\n`);
      expect((await run(process.execPath, [file], place.folder)).trim()).toBe('true');
    });

    describe.runIf(chromium !== undefined)('in Chromium', () => {
      /** What a page in this folder says in the end. */
      async function titleOf(folder: string): Promise<string> {
        const server = await serve(folder);
        const browser = await launchChromium(chromium as string);
        try {
          const page = await browser.newPage();
          const { port } = server.address() as AddressInfo;
          await page.goto(`http://127.0.0.1:${port}/index.html#${encodeURIComponent(`${url} ${token}`)}`);
          await page.waitForFunction(() => (globalThis as unknown as { document: { title: string } }).document.title !== '');
          return await page.title();
        } finally {
          await browser.close();
          server.close();
        }
      }

      const html = (script: string) => `<!doctype html><meta charset="utf-8"><title></title>${script}`;

      it('reach each other from a bundle that vite makes', async () => {
        // Without ws: no page has it.
        const root = await place.installClient(packed.client, 'vite');
        writeFileSync(join(root, 'page.js'), readFileSync(join(project, 'page.js')));
        writeFileSync(join(root, 'index.html'), html('<script type="module" src="/page.js"></script>'));
        await vite({ root, configFile: false, logLevel: 'error', build: { outDir: 'built' } });
        expect(await titleOf(join(root, 'built'))).toBe('hello');
      });

      it('reach each other from a bundle that esbuild makes', async () => {
        const root = await place.installClient(packed.client, 'esbuild');
        writeFileSync(join(root, 'page.js'), readFileSync(join(project, 'page.js')));
        const outfile = join(root, 'built/bundle.js');
        await esbuild({
          absWorkingDir: root,
          entryPoints: ['page.js'],
          outfile,
          bundle: true,
          format: 'esm',
          logLevel: 'error',
        });
        writeFileSync(join(root, 'built/index.html'), html('<script type="module" src="/bundle.js"></script>'));
        expect(await titleOf(join(root, 'built'))).toBe('hello');
      });

      it('reach each other from a page without a bundler', async () => {
        const root = place.project('plain');
        for (const file of ['stentor.min.js', 'stentor.min.js.map'])
          writeFileSync(join(root, file), readFileSync(join(packed.client.folder, file)));
        writeFileSync(
          join(root, 'index.html'),
          html(`<script type="module">import { createClient } from '/stentor.min.js';\n${ECHO}\n${PAGE}</script>`),
        );
        expect(await titleOf(root)).toBe('hello');
      });
    });
  });
}

function portOf(node: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let log = '';
    node.stdout?.on('data', (chunk) => {
      log += chunk;
      const [, port] = /"port":(\d+)[^\n]*node started/.exec(log) ?? [];
      if (port !== undefined) resolve(Number(port));
    });
    node.once('exit', () => reject(new Error(`the node did not start:\n${log}`)));
  });
}

async function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    try {
      const path = new URL(request.url ?? '/', 'http://page').pathname;
      const body = readFileSync(join(folder, path));
      response.setHeader('Content-Type', TYPES[extname(path)] ?? 'text/plain').end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
