import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { readSnippets, runSnippet } from '../support/snippets.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const FILE = fileURLToPath(new URL('../../src/client/MIGRATION.md', import.meta.url));
const snippets = readSnippets(FILE);

type Follow = (url: string, topic: string, onItem: (data: unknown) => void, onResync: () => void) => () => void;

describe('src/client/MIGRATION.md', () => {
  let nats: NatsServer;
  let node: TestNode;
  const addresses = () => ({ 'wss://example.org/ws': node.url, 'nats://localhost:4222': nats.url });

  beforeAll(async () => {
    nats = await startNatsServer();
    node = await TestNode.start({ 'nats.url': nats.url });
    Object.assign(globalThis, { fetchToken: (user: string) => tokenOf({ sub: user }), WebSocket: globalThis.WebSocket ?? WebSocket });
  });
  afterAll(async () => {
    await node?.stop();
    await nats?.stop();
  });

  it('has programs to run', () => {
    expect(snippets).toHaveLength(5);
  });

  for (const snippet of snippets.filter(({ prints }) => prints.length > 0)) {
    it(`prints what it says, line ${snippet.line}`, async () => {
      const { printed } = await runSnippet(snippet, addresses());
      expect(printed).toEqual(snippet.prints);
    });
  }

  it('follows a topic over a plain WebSocket that is cut repeatedly: nothing is missing, nothing arrives twice', async () => {
    const [module] = snippets.filter(({ prints }) => prints.length === 0);
    const { exports } = await runSnippet(module as (typeof snippets)[number], addresses());
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
});
