import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { startNode as startNodeHere } from '../../src/node.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { tempFile } from '../config/helpers.ts';
import { TestNode, testSettings } from '../support/node.ts';
import { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

/** Notes what it is asked, and does what the topic says. */
const ROOM = `
export const asked = (globalThis.stentorHooksAsked ??= []);
export async function subscribe(question) {
  asked.push(question);
  if (question.topic === 'room.denied') return { allow: false, code: 'members_only' };
  if (question.topic === 'room.throws') throw new Error('a bug of the hook');
  if (question.topic === 'room.never') return new Promise(() => {});
  return question.topic === 'room.a' ? { allow: true, options: { maxRateHz: 2 } } : { allow: true };
}
export async function publish({ topic, data }) {
  if (data.waitMs) await new Promise((resolve) => setTimeout(resolve, data.waitMs));
  if (data.n === 1) return { allow: false };
  if (topic === 'room.odd') return { allow: true, data: { f: () => 1 } };
  if (topic === 'room.large') return { allow: true, data: 'x'.repeat(2000) };
  return { allow: true, data: { n: data.n, by: 'hook' } };
}`;
const NODE = `
const seen = (globalThis.stentorHooksSeen ??= []);
export function connect({ user }) {
  return user === 'mallory' ? { allow: false, code: 'banned', message: 'until Monday' } : { allow: true };
}
export function disconnect(question) {
  seen.push(question);
}`;

const kept = globalThis as { stentorHooksAsked?: Record<string, unknown>[]; stentorHooksSeen?: Record<string, unknown>[] };

describe('hooks in code, on the memory bus', () => {
  let node: TestNode;

  beforeAll(async () => {
    node = await TestNode.start({
      'hooks.module': tempFile('node.mjs', NODE),
      namespaces: {
        book: { public: true, state: 'document', hooks: { module: tempFile('book.mjs', ROOM) } },
        room: { public: true, clientPublish: true, maxPayloadBytes: 1000, hooks: { module: tempFile('room.mjs', ROOM), timeoutMs: 500 } },
      },
    });
  });
  afterAll(() => node?.stop());

  async function connected(sub = 'ann') {
    const client = await node.connect({ encoding: 'msgpack', token: await tokenOf({ sub }) });
    const { connectionId } = await client.next('connected');
    return Object.assign(client, { connectionId });
  }

  it('decide about connections, and are told of their ends', async () => {
    const banned = await node.connect({ encoding: 'json', token: await tokenOf({ sub: 'mallory' }) });
    expect(await banned.next('error')).toMatchObject({ code: 'banned', message: 'until Monday', service: true });
    expect(await banned.closed).toMatchObject({ code: 4001 });
    const { connectionId, socket } = await connected();
    socket.close(1000);
    const seen = await until('the end', () => kept.stentorHooksSeen?.find((question) => question.connectionId === connectionId));
    expect(seen).toMatchObject({ hook: 'disconnect', user: 'ann', code: 1000 });
    expect(kept.stentorHooksSeen?.filter(({ user }) => user === 'mallory')).toEqual([]);
  });

  it('allow with changes, deny, and deny when they throw or take too long', async () => {
    const client = await connected();
    await client.subscribe('room.selected', { filter: { team: 'a' } });
    expect(kept.stentorHooksAsked?.at(-1)).toMatchObject({ topic: 'room.selected', options: { filter: { team: 'a' } } });
    expect(await client.subscribe('book.a', { fields: ['/best'] })).toMatchObject({ type: 'subscribed' });
    expect(kept.stentorHooksAsked?.at(-1)).toMatchObject({ topic: 'book.a', options: { fields: ['/best'] } });
    expect(await client.subscribe('room.a', { maxRateHz: 50 })).toMatchObject({ rateHz: 2 });
    expect(kept.stentorHooksAsked?.at(-1)).toMatchObject({
      topic: 'room.a',
      options: { maxRateHz: 50 },
      connectionId: client.connectionId,
    });
    expect(await client.ask({ type: 'subscribe', topic: 'room.denied' })).toMatchObject({ code: 'members_only', service: true });
    const failed = { code: 'hook_failed', retryable: true };
    expect(await client.ask({ type: 'subscribe', topic: 'room.throws' })).toMatchObject(failed);
    expect(await client.ask({ type: 'subscribe', topic: 'room.never' })).toMatchObject(failed);
    expect(node.log.some((line) => line.includes('a bug of the hook'))).toBe(true);
    expect(await node.metric('stentor_hook_module_seconds_count', { hook: 'subscribe', result: 'failed' })).toBe(2);
  });

  it('change what is published, in the order in which it came, however long each takes', async () => {
    const client = await connected();
    await client.subscribe('room.order');
    const publishes = [80, 0, 40, 0].map((waitMs, n) => client.ask({ type: 'publish', topic: 'room.order', data: { n, waitMs } }));
    expect((await Promise.all(publishes)).map(({ type }) => type)).toEqual(['published', 'error', 'published', 'published']);
    const tracker = client.track('room.order');
    await until('all of them', () => tracker.items.length === 3);
    expect(tracker.items.map(({ data }) => data)).toEqual([0, 2, 3].map((n) => ({ n, by: 'hook' })));
  });

  it('that want to publish what cannot be published have failed; the client has done nothing wrong', async () => {
    const client = await connected();
    for (const topic of ['room.odd', 'room.large']) {
      expect(await client.ask({ type: 'publish', topic, data: { n: 0 } })).toMatchObject({ code: 'hook_failed' });
    }
  });
});

describe('a module that cannot be loaded', () => {
  it('ends the start of the node, with the setting and the file', async () => {
    const file = tempFile('broken.mjs', 'export const nothing = 1;');
    await expect(TestNode.start({ namespaces: { room: { hooks: { module: file } } } })).rejects.toMatchObject({
      code: 'hook_module_failed',
      message: `namespaces.room.hooks.module (${file}) exports none of subscribe, publish`,
    });
  });
});

describe('hooks in code, in worker processes of what is built', () => {
  const BUILT = pathToFileURL(resolve(import.meta.dirname, '../../dist/node.js')).href;
  const start = async (file: string) => {
    const { startNode } = (await import(BUILT)) as { startNode: typeof startNodeHere };
    const flags = testSettings({ workers: 1, 'log.level': 'silent', namespaces: { room: { public: true, hooks: { module: file } } } });
    const { config } = loadConfig({ env: {}, flags });
    return startNode(config, { log: createLogger(config.log) });
  };

  it('decide there, too', async () => {
    const node = await start(tempFile('room.mjs', "export const subscribe = ({ topic }) => ({ allow: topic !== 'room.denied' });"));
    const client = await TestClient.connect(`ws://127.0.0.1:${node.port}/ws`, { encoding: 'json' });
    try {
      await client.subscribe('room.a');
      expect(await client.ask({ type: 'subscribe', topic: 'room.denied' })).toMatchObject({ code: 'hook_denied', service: true });
    } finally {
      client.socket.terminate();
      await node.stop();
    }
  });

  it('end the start where they cannot be loaded', async () => {
    await expect(start(tempFile('broken.mjs', 'export const nothing = 1;'))).rejects.toMatchObject({ code: 'hook_module_failed' });
  });
});
