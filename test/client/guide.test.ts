import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { DEFAULT_NAMESPACES } from '../../src/config/schema/namespaces.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { TestNode } from '../support/node.ts';
import { readSnippets, runSnippet } from '../support/snippets.ts';
import { tokenOf } from '../support/tokens.ts';

const snippets = readSnippets(fileURLToPath(new URL('../../src/client/README.md', import.meta.url)));

describe('src/client/README.md', () => {
  let nats: NatsServer;
  let node: TestNode;

  beforeAll(async () => {
    nats = await startNatsServer();
    const namespaces = {
      ...DEFAULT_NAMESPACES,
      chat: { ...DEFAULT_NAMESPACES.chat, presence: 'members' },
      books: { clientPublish: true, state: 'document' },
      typing: { durable: false, clientPublish: true },
    };
    node = await TestNode.start({ 'nats.url': nats.url, namespaces });
    Object.assign(globalThis, { fetchToken: (user: string) => tokenOf({ sub: user }), WebSocket: globalThis.WebSocket ?? WebSocket });
  });
  afterAll(async () => {
    await node?.stop();
    await nats?.stop();
  });

  it('has programs to run, and each states its output', () => {
    expect(snippets).toHaveLength(16);
    expect(snippets.filter(({ prints }) => prints.length === 0)).toEqual([]);
  });

  for (const snippet of snippets) {
    it(`prints what it says, line ${snippet.line}`, async () => {
      const { printed } = await runSnippet(snippet, { 'wss://example.org/ws': node.url, 'nats://localhost:4222': nats.url });
      expect(printed).toEqual(snippet.prints);
    });
  }
});
