import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tempFile } from '../config/helpers.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { readSnippets, runSnippet } from '../support/snippets.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const FILE = fileURLToPath(new URL('../../src/hooks/README.md', import.meta.url));
const page = readFileSync(FILE, 'utf8');
const block = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(page)?.[1] as string;
const [service, inCode] = readSnippets(FILE);

const python = process.env.PYTHON ?? 'python3';
const hasNatsPy = spawnSync(python, ['-c', 'import nats']).status === 0;
if (!hasNatsPy) console.warn('no nats-py: set $PYTHON to a Python that has it; the snippet in Python is left out');

/** What the page says of the rooms: the same for each way to write the hook. */
async function expectRooms(node: TestNode): Promise<void> {
  for (const [sub, topic, expected] of [
    ['ann', 'chat.staff', { type: 'subscribed' }],
    ['bob', 'chat.staff', { type: 'error', code: 'members_only' }],
    ['bob', 'chat.hall', { type: 'subscribed' }],
  ] as const) {
    const client = await node.connect({ encoding: 'json', token: await tokenOf({ sub }) });
    expect(await client.ask({ type: 'subscribe', topic })).toMatchObject(expected);
  }
}

describe('src/hooks/README.md', () => {
  let nats: NatsServer;

  beforeAll(async () => {
    nats = await startNatsServer();
  });
  afterAll(() => nats?.stop());

  it('has a config and a service in JavaScript that work together', async () => {
    const node = await TestNode.start({ ...parse(block('yaml')), nats: undefined, 'nats.url': nats.url });
    try {
      await runSnippet(service!, { 'nats://localhost:4222': nats.url });
      await expectRooms(node);
      const client = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'ann' }) });
      const say = (text: string) => client.ask({ type: 'publish', topic: 'chat.hall', data: { text } });
      await client.subscribe('chat.hall');
      expect(await say('')).toMatchObject({ code: 'empty', message: 'say something', service: true });
      expect(await say('damn it')).toMatchObject({ type: 'published' });
      const { items } = await client.next('batch');
      expect(items.map(([, , data]) => data)).toEqual([{ text: '**** it' }]);
    } finally {
      await node.stop();
    }
  });

  it.runIf(hasNatsPy)('has the same in Python', async () => {
    const own = await startNatsServer();
    const script = tempFile('service.py', block('python').replace('nats://localhost:4222', own.url));
    const process = spawn(python, [script], { stdio: 'inherit' });
    const node = await TestNode.start({
      'nats.url': own.url,
      namespaces: { chat: { public: true, hooks: { subscribe: 'nats:auth.subscribe' } } },
    });
    try {
      const probe = await node.connect();
      await until('the service', async () => (await probe.ask({ type: 'subscribe', topic: 'chat.hall' })).type === 'subscribed');
      await expectRooms(node);
    } finally {
      process.kill();
      await node.stop();
      await own.stop();
    }
  });

  it('has a module that works without NATS', async () => {
    const file = tempFile('rooms.mjs', inCode!.code);
    const node = await TestNode.start({ namespaces: { chat: { public: true, clientPublish: true, hooks: { module: file } } } });
    try {
      await expectRooms(node);
      const client = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'ann' }) });
      await client.subscribe('chat.hall');
      await client.get('published', { type: 'publish', topic: 'chat.hall', data: { text: ' hi ' } });
      expect((await client.next('batch')).items.map(([, , data]) => data)).toEqual([{ text: 'hi' }]);
    } finally {
      await node.stop();
    }
  });
});
