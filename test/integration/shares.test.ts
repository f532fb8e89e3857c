import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import type { TestClient } from '../support/test-client.ts';
import { tokenOf } from '../support/tokens.ts';

const NAMESPACES = { scores: { public: true, wildcards: true }, books: { public: true, state: 'document' } };

const nodes: TestNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function start(settings: Record<string, unknown>): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, ...settings });
  nodes.push(node);
  return node;
}

/** From an address of this machine. */
const from = (node: TestNode, localAddress: string) => node.connect({ socket: { localAddress } });
const asUser = async (node: TestNode, sub: string) =>
  node.connect({ token: await tokenOf({ sub, expiresInMs: 60_000, subscribe: ['scores.>'] }), socket: { localAddress: '127.0.0.5' } });

async function ask(client: TestClient, topic: string, more: object = {}): Promise<unknown> {
  const answer = await client.ask({ type: 'subscribe', topic, ...more });
  return answer.type === 'error' ? [answer.code, answer.retryable] : answer.type;
}

async function leave(node: TestNode, client: TestClient, left: number): Promise<void> {
  await client.close();
  await node.untilMetric('stentor_connections', (value) => value === left);
}

describe('limits.sharePercentMax', () => {
  it('is what one address has of the topics of a node, with all its connections; others open more', async () => {
    const node = await start({ 'limits.topicsPerNodeMax': 4, 'limits.sharePercentMax': 50 });
    const [one, two] = await Promise.all([from(node, '127.0.0.2'), from(node, '127.0.0.2')]);
    expect(await ask(one, 'scores.a')).toBe('subscribed');
    expect(await ask(two, 'scores.b')).toBe('subscribed');
    expect(await ask(one, 'scores.c')).toEqual(['busy', true]);
    expect(await ask(one, 'scores.b')).toBe('subscribed');
    expect(await node.metric('stentor_shares_refused_total', { of: 'topics' })).toBe(1);
    const other = await from(node, '127.0.0.3');
    expect(await ask(other, 'scores.c')).toBe('subscribed');
    expect(await ask(one, 'scores.c')).toBe('subscribed');
    await leave(node, two, 2);
    await one.get('unsubscribed', { type: 'unsubscribe', topic: 'scores.b' });
    expect(await ask(one, 'scores.d')).toBe('subscribed');
  });

  it('is that of each user, whatever the address', async () => {
    const node = await start({ 'limits.topicsPerNodeMax': 8, 'limits.sharePercentMax': 25 });
    const [ann, bob, again] = await Promise.all([asUser(node, 'ann'), asUser(node, 'bob'), asUser(node, 'ann')]);
    expect([await ask(ann, 'scores.a'), await ask(again, 'scores.b')]).toEqual(['subscribed', 'subscribed']);
    expect([await ask(ann, 'scores.c'), await ask(again, 'scores.c')]).toEqual([
      ['busy', true],
      ['busy', true],
    ]);
    expect([await ask(bob, 'scores.c'), await ask(bob, 'scores.d')]).toEqual(['subscribed', 'subscribed']);
  });

  it('is what one address has of the patterns', async () => {
    const node = await start({ 'limits.patternsPerNodeMax': 2, 'limits.sharePercentMax': 50 });
    const [one, other] = await Promise.all([from(node, '127.0.0.2'), from(node, '127.0.0.3')]);
    expect(await ask(one, 'scores.a.*')).toBe('subscribed');
    expect(await ask(one, 'scores.b.*')).toEqual(['too_many_patterns', true]);
    expect(await ask(other, 'scores.b.*')).toBe('subscribed');
    expect(await node.metric('stentor_shares_refused_total', { of: 'patterns' })).toBe(1);
  });

  it('is what one address has of the selections of a topic, by tags or fields', async () => {
    const node = await start({ 'limits.selectionsPerTopicMax': 4, 'limits.sharePercentMax': 50 });
    const [one, two, other] = await Promise.all(['127.0.0.2', '127.0.0.2', '127.0.0.3'].map((address) => from(node, address)));
    const filter = (value: string) => ({ filter: { league: [value] } });
    expect(await ask(one!, 'scores.a', filter('x'))).toBe('subscribed');
    expect(await ask(two!, 'scores.a', filter('y'))).toBe('subscribed');
    const third = await from(node, '127.0.0.2');
    expect(await ask(third, 'scores.a', filter('z'))).toEqual(['too_many_selections', true]);
    expect(await ask(third, 'scores.a', filter('y'))).toBe('subscribed');
    expect(await ask(other!, 'scores.a', filter('z'))).toBe('subscribed');
    // It is the other one's now, who wants it too.
    expect(await ask(third, 'scores.a', filter('z'))).toBe('subscribed');
    await leave(node, two!, 3);
    expect(await ask(one!, 'scores.a', filter('w'))).toBe('subscribed');
    expect(await node.metric('stentor_shares_refused_total', { of: 'selections' })).toBe(1);
    const fourth = await from(node, '127.0.0.2');
    expect(await ask(one!, 'books.a', { fields: ['/a'] })).toBe('subscribed');
    expect(await ask(third, 'books.a', { fields: ['/b'] })).toBe('subscribed');
    expect(await ask(fourth, 'books.a', { fields: ['/c'] })).toEqual(['too_many_selections', true]);
    expect(await ask(other!, 'books.a', { fields: ['/c'] })).toBe('subscribed');
  });
});
