import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { tempFile } from '../config/helpers.ts';
import { findTool } from '../support/find-tool.ts';
import { freePort } from '../support/free-port.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { readSnippets, runSnippet } from '../support/snippets.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const FILE = fileURLToPath(new URL('../../src/client/MIGRATION.md', import.meta.url));
const snippets = readSnippets(FILE);
const block = (language: string) =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(readFileSync(FILE, 'utf8'))?.[1] as string;
const centrifugo = findTool('CENTRIFUGO', 'centrifugo');
if (centrifugo === undefined) console.warn('no centrifugo: set $CENTRIFUGO; its proxy is left out');

type Follow = (url: string, topic: string, onItem: (data: unknown) => void, onResync: () => void) => () => void;

describe('src/client/MIGRATION.md', () => {
  let nats: NatsServer;
  let node: TestNode;
  /** With the hooks that the page names. */
  let hooked: TestNode;
  let hookedNats: NatsServer;
  const addresses = ({ code }: { readonly code: string }) => ({
    'wss://example.org/ws': node.url,
    'wss://hooks.example.org/ws': hooked.url,
    'nats://localhost:4222': code.includes('hooks.example.org') ? hookedNats.url : nats.url,
  });
  const programWith = (text: string) => snippets.find(({ code }) => code.includes(text)) as (typeof snippets)[number];

  beforeAll(async () => {
    nats = await startNatsServer();
    node = await TestNode.start({ 'nats.url': nats.url });
    const { hooks, namespaces } = parse(block('yaml'));
    hookedNats = await startNatsServer();
    hooked = await TestNode.start({ 'nats.url': hookedNats.url, 'hooks.connect': hooks.connect, namespaces });
    Object.assign(globalThis, { fetchToken: (user: string) => tokenOf({ sub: user }), WebSocket: globalThis.WebSocket ?? WebSocket });
  });
  afterAll(async () => {
    await node?.stop();
    await hooked?.stop();
    await nats?.stop();
    await hookedNats?.stop();
  });

  it('has programs to run', () => {
    expect(snippets).toHaveLength(9);
  });

  for (const snippet of snippets.filter(({ prints }) => prints.length > 0)) {
    it(`prints what it says, line ${snippet.line}`, async () => {
      const { printed } = await runSnippet(snippet, addresses(snippet));
      expect(printed).toEqual(snippet.prints);
    });
  }

  it('follows a topic over a plain WebSocket that is cut repeatedly: nothing is missing, nothing arrives twice', async () => {
    const { exports } = await runSnippet(programWith('export function follow'), addresses({ code: '' }));
    const proxy = await TestProxy.start(node.running.port);
    const received: unknown[] = [];
    let resyncs = 0;
    const stop = (exports.follow as Follow)(
      `ws://127.0.0.1:${proxy.port}/ws`,
      'scores.followed',
      (data) => received.push(data),
      () => resyncs++,
    );
    try {
      await node.publish('scores.followed', 0);
      await until('the first', () => received.length === 1);
      let published = 1;
      for (let cut = 0; cut < 8; cut++) {
        for (let i = 0; i < 50; i++) await node.publish('scores.followed', published++);
        proxy.cut(cut % 2 === 0 ? 'reset' : 'end');
        for (let i = 0; i < 50; i++) await node.publish('scores.followed', published++);
        await until(`everything after cut ${cut}`, () => received.length >= published);
      }
      expect(received).toEqual(Array.from({ length: published }, (_, n) => n));
      expect(resyncs).toBe(0);
    } finally {
      stop();
      await proxy.stop();
    }
  });

  it('says what Socket.IO’s middleware does: the same as the hooks beside it', async () => {
    const port = freePort();
    const { exports } = await runSnippet(programWith("from 'socket.io'"), { 'new Server(3000': `new Server(${port}` });
    const io = exports.io as { close(): Promise<void> };
    const open = async (user: string) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
      const packets: string[] = [];
      socket.on('message', (data) => packets.push(String(data)));
      const packet = (start: string) => until(`a packet ${start}`, () => packets.find((text) => text.startsWith(start)));
      await packet('0');
      socket.send(`40${JSON.stringify({ user })}`);
      return { socket, packet };
    };
    const mallory = await open('mallory');
    expect(await mallory.packet('44')).toBe('44{"message":"banned"}');
    const bob = await open('bob');
    await bob.packet('40');
    const asks = [
      ['join', 'staff'],
      ['join', 'hall'],
      ['chat', 'hall', ''],
      ['chat', 'hall', 'damn it'],
    ];
    for (const [id, ask] of asks.entries()) bob.socket.send(`42${id}${JSON.stringify(ask)}`);
    const acks = await Promise.all(asks.map((_, id) => bob.packet(`43${id}`)));
    expect(acks.map((ack) => JSON.parse(ack.slice(3))[0])).toEqual([
      { error: 'members_only' },
      { ok: true },
      { error: 'empty' },
      { ok: true },
    ]);
    expect(await bob.packet('42["chat"')).toBe('42["chat","**** it"]');
    mallory.socket.terminate();
    bob.socket.terminate();
    await io.close();
  });

  it.runIf(centrifugo !== undefined)('says what Centrifugo’s proxies do: the same as the hooks beside them', async () => {
    const [proxyPort, port] = [freePort(), freePort()];
    const { exports } = await runSnippet(programWith("from 'node:http'"), { 'listen(3001)': `listen(${proxyPort})` });
    const config = JSON.parse(block('json').replaceAll(':3001', `:${proxyPort}`));
    const file = tempFile('centrifugo.json', JSON.stringify({ ...config, http_server: { port, address: '127.0.0.1' } }));
    const program = spawn(centrifugo as string, ['--config', file], { stdio: 'ignore' });
    try {
      const url = `ws://127.0.0.1:${port}/connection/websocket`;
      await until('centrifugo', () => fetch(url.replace('ws:', 'http:')).then(() => true));
      const open = async (user: string) => {
        const socket = new WebSocket(url);
        const lines: string[] = [];
        const closed = new Promise<number>((resolve) => socket.once('close', resolve));
        socket.on('message', (data) => lines.push(...String(data).split('\n')));
        await new Promise((resolve) => socket.once('open', resolve));
        socket.send(JSON.stringify({ id: 1, connect: { data: { user } } }));
        const reply = (id: number) => until(`reply ${id}`, () => lines.map((line) => JSON.parse(line)).find((each) => each.id === id));
        return { socket, lines, closed, reply };
      };
      expect(await (await open('mallory')).closed).toBe(4501);
      const bob = await open('bob');
      await bob.reply(1);
      const asks = [
        { subscribe: { channel: 'chat:staff' } },
        { subscribe: { channel: 'chat:hall' } },
        { publish: { channel: 'chat:hall', data: { text: '' } } },
        { publish: { channel: 'chat:hall', data: { text: 'damn it' } } },
      ];
      const replies: Record<string, unknown>[] = [];
      for (const [at, ask] of asks.entries()) {
        bob.socket.send(JSON.stringify({ id: at + 2, ...ask }));
        replies.push(await bob.reply(at + 2));
      }
      expect(replies).toMatchObject([
        { error: { message: 'members_only' } },
        { subscribe: {} },
        { error: { message: 'empty' } },
        { publish: {} },
      ]);
      await until('the publication', () => bob.lines.some((line) => line.includes('**** it')));
      bob.socket.terminate();
    } finally {
      program.kill();
      (exports.server as Server).close();
    }
  });
});
