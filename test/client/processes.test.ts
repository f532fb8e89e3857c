import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node22Binary } from '../support/node22.ts';
import { bundleCases } from './bundle-cases.ts';
import { CaseServer } from './case-server.ts';
import { CASES } from './cases/index.ts';
import type { Order, Outcome } from './cases/main.ts';
import { cutsElsewhere } from './cuts.ts';

/** Inside the project, so that packages are found. */
const FOLDER = resolve(import.meta.dirname, `../../.cache/client-test-${process.pid}`);
const CLIENT = resolve(import.meta.dirname, '../../src/client/index.ts');

const cuts = cutsElsewhere();

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const children: ChildProcess[] = [];

async function run(binary: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(binary, ['--unhandled-rejections=strict', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

let server: CaseServer;
beforeAll(async () => {
  server = await CaseServer.start();
  mkdirSync(FOLDER, { recursive: true });
});
afterAll(async () => {
  // One that did not end by itself has failed its test already.
  for (const child of children) child.kill('SIGKILL');
  rmSync(FOLDER, { recursive: true, force: true });
  await server.stop();
});

describe('a process', () => {
  /** Ends by itself, or this test runs out of time. */
  async function ends(name: string, script: string): Promise<Ended> {
    const file = resolve(FOLDER, `${name}.mts`);
    const head = `import { createClient } from ${JSON.stringify(CLIENT)};\nconst url = 'ws://127.0.0.1:${server.proxy.port}/ws';\n`;
    writeFileSync(file, head + script);
    return await run(process.execPath, ['--import', 'tsx', file]);
  }

  it('exits by itself when its client is closed, even during unfinished operations', async () => {
    const { code, stdout, stderr } = await ends(
      'closed',
      `
      const client = createClient({ url });
      client.on('stats', () => {});
      client.on('state', () => {});
      client.topic('open.a').subscribe(() => {});
      await client.connect();
      client.publish('open.a', 1);
      client.call('nobody', 1, { signal: new AbortController().signal });
      client.history('open.a');
      await client.close();
      const unreachable = createClient({ url: 'ws://127.0.0.1:9/ws' });
      unreachable.publish('open.a', 1);
      await new Promise((resolve) => unreachable.on('state', ({ nextAttemptAtMs }) => nextAttemptAtMs && resolve()));
      await unreachable.close();
      createClient({ url }).close();
      console.log('closed');
    `,
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'closed\n', stderr: '' });
  });

  it('ends by itself if the server stopped responding before the client is closed', async () => {
    const { code, stdout } = await ends(
      'silent',
      `
      const client = createClient({ url });
      await client.connect();
      await fetch('${server.url}/proxy', { method: 'POST', body: '[{"stalled":true}]' });
      await client.close();
      console.log('closed');
    `,
    );
    await server.run('reset');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'closed\n' });
  });

  it('ends by itself when its client is refused for good', async () => {
    const { code, stderr } = await ends(
      'refused',
      `
      const client = createClient({ url, token: 'no.such.token' });
      client.on('stats', () => {});
      client.topic('open.a').subscribe(() => {});
      client.publish('open.a', 1);
    `,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('prints a refusal on the console if there is no listener', async () => {
    const { code, stderr } = await ends(
      'told',
      `
      const client = createClient({ url });
      client.topic('closed.a').subscribe(() => {});
      await client.connect();
      await client.history('open.a');
      await client.close();
    `,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('stentor: CommandError: unauthorized') });
  });
});

describe('the SDK, in Node 22', () => {
  it.each([
    ['the ws package', false],
    ['its own WebSocket', true],
  ])(
    'passes every case with %s, and leaves nothing behind that keeps its process',
    async (_, platformSocket) => {
      const file = resolve(FOLDER, 'cases.mjs');
      writeFileSync(file, await bundleCases('node'));
      const order: Order = { serverUrl: server.url, url: `ws://127.0.0.1:${server.proxy.port}/ws`, cuts, platformSocket };
      const { code, stdout, stderr } = await run(node22Binary(), [file, JSON.stringify(order)]);
      const outcomes = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Outcome]));
      expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(outcomes.map(({ name }) => name)).toEqual(CASES.map(({ name }) => name));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
    240_000 + cuts * 500,
  );
});
