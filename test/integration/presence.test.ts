import { afterEach, describe, expect, it } from 'vitest';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import type { TestClient, TestClientOptions } from '../support/test-client.ts';
import { sign, tokenOf } from '../support/tokens.ts';

type Presence = ServerMessage<'presence'>;

const NAMESPACES = {
  chat: { public: true, clientPublish: true, presence: 'members', presenceMembersMax: 4 },
  scores: { public: true, presence: 'count' },
  closed: { presence: 'members' },
  plain: { public: true },
};
const nodes: TestNode[] = [];

async function start(settings: Record<string, unknown> = {}): Promise<TestNode> {
  const node = await TestNode.start({ namespaces: NAMESPACES, 'tuning.presence.graceMs': 1000, ...settings });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function connect(node: TestNode, sub: string, encoding: TestClientOptions['encoding'] = 'msgpack'): Promise<TestClient> {
  const client = await node.connect({ encoding, token: await tokenOf({ sub }) });
  await client.next('connected');
  return client;
}

const names = (members: Presence['members']) => members?.map(({ user, connectionId }) => user ?? connectionId).sort();

/** The members, as built from a watcher's messages. */
class Watcher {
  readonly client: TestClient;
  readonly topic: string;

  constructor(client: TestClient, topic: string) {
    this.client = client;
    this.topic = topic;
  }

  get told(): Presence[] {
    const isOurs = (message: ServerMessage): message is Presence =>
      message.type === 'presence' && message.topic === this.topic && message.id === undefined;
    return this.client.messages.filter(isOurs);
  }

  get members(): (string | undefined)[] | undefined {
    let there: Set<string | undefined> | undefined;
    for (const { members, joined, left, membersOmitted } of this.told) {
      if (members !== undefined) there = new Set(names(members));
      if (membersOmitted) there = undefined;
      for (const name of names(joined) ?? []) there?.add(name);
      for (const name of names(left) ?? []) there?.delete(name);
    }
    return there && [...there].sort();
  }

  get count(): number | undefined {
    return this.told.at(-1)?.count;
  }

  async until(members: readonly (string | undefined)[] | undefined, count = members?.length): Promise<void> {
    const wanted = JSON.stringify(members);
    await this.client.until(`${wanted}, ${count}`, () => JSON.stringify(this.members) === wanted && this.count === count);
  }
}

async function watch(client: TestClient, topic: string): Promise<Watcher> {
  await client.subscribe(topic, { presence: true });
  return new Watcher(client, topic);
}

describe('presence', () => {
  it('lists the subscribers: users with their info, and connections of anonymous clients', async () => {
    const node = await start();
    const exp = Date.now() / 1000 + 600;
    const ann = await node.connect({
      encoding: 'json',
      token: await sign({ sub: 'ann', exp, stentor: { info: { name: 'Ann', age: 7 } } }),
    });
    const again = await connect(node, 'ann');
    const anonymous = await node.connect({ encoding: 'json' });
    const { connectionId } = await anonymous.get('connected', { type: 'connect' });
    for (const client of [ann, again, anonymous]) await client.subscribe('chat.a');
    const { count, members, ...rest } = await again.get('presence', { type: 'presence', topic: 'chat.a' });
    expect(count).toBe(3);
    expect(members).toHaveLength(2);
    expect(members).toEqual(expect.arrayContaining([{ user: 'ann', info: { name: 'Ann', age: 7 } }, { connectionId }]));
    expect(rest).toEqual({ type: 'presence', id: expect.any(Number), topic: 'chat.a' });
    // Also to a client that is not subscribed.
    const outside = await node.connect();
    expect((await outside.get('presence', { type: 'presence', topic: 'chat.a' })).count).toBe(3);
    expect(await outside.get('presence', { type: 'presence', topic: 'chat.b' })).toMatchObject({ count: 0, members: [] });
  });

  it('answers a client that asks about many full topics at once, however much that is, and does not close it as too slow', async () => {
    const node = await start({ namespaces: { chat: { public: true, presence: 'members' } }, 'limits.sendBufferLimitBytes': 262_144 });
    const exp = Date.now() / 1000 + 600;
    const info = 'x'.repeat(1000);
    for (let i = 0; i < 40; i++) {
      const member = await node.connect({ encoding: 'json', token: await sign({ sub: `member-${i}`, exp, stentor: { info } }) });
      await member.subscribe('chat.full');
    }
    const asking = await node.connect({ encoding: 'json' });
    // Four hundred times 40 KB: more than the socket and the system take at once.
    asking.send(Array.from({ length: 400 }, (_, id) => ({ type: 'presence', id, topic: 'chat.full' })));
    for (let id = 0; id < 400; id++) {
      const { members } = await asking.next('presence', (message) => message.id === id);
      expect(members).toHaveLength(40);
    }
    await asking.settle();
  });

  it.each(['json', 'msgpack'] as const)('sends joins and leaves, after `subscribed` (%s)', async (encoding) => {
    const node = await start();
    const ann = await connect(node, 'ann', encoding);
    const { told } = await watch(ann, 'chat.a');
    expect(told).toEqual([]);
    const watcher = new Watcher(ann, 'chat.a');
    await watcher.until(['ann']);
    const types = ann.messages.map(({ type }) => type);
    expect(types.indexOf('subscribed')).toBeLessThan(types.indexOf('presence'));
    expect(watcher.told[0]).toEqual({ type: 'presence', topic: 'chat.a', count: 1, members: [{ user: 'ann' }] });
    const bob = await connect(node, 'bob');
    await bob.subscribe('chat.a');
    await watcher.until(['ann', 'bob']);
    expect(watcher.told.at(-1)).toEqual({ type: 'presence', topic: 'chat.a', count: 2, joined: [{ user: 'bob' }] });
    await bob.get('unsubscribed', { type: 'unsubscribe', topic: 'chat.a' });
    await ann.next('presence', ({ left }) => left?.[0]?.user === 'bob');
    await watcher.until(['ann']);
  });

  it('reports nothing of a user that comes back within the grace time, and a leave of one that does not', async () => {
    const node = await start({ 'tuning.presence.graceMs': 1500 });
    const watcher = await watch(await connect(node, 'ann'), 'chat.a');
    const bob = await connect(node, 'bob');
    await bob.subscribe('chat.a');
    await watcher.until(['ann', 'bob']);
    const before = watcher.told.length;
    await bob.close();
    const back = await connect(node, 'bob');
    await back.subscribe('chat.a');
    const closedAtMs = performance.now();
    await (await connect(node, 'eve')).subscribe('chat.a');
    await watcher.until(['ann', 'bob', 'eve']);
    await back.close();
    await watcher.until(['ann', 'eve']);
    expect(performance.now() - closedAtMs).toBeGreaterThan(1400);
    const changes = watcher.told.slice(before).flatMap(({ joined, left }) => [names(joined), names(left)].filter(Boolean));
    expect(changes).toEqual([['eve'], ['bob']]);
  });

  it('sends only the count, once a second, in a namespace that only counts', async () => {
    const node = await start();
    const ann = await connect(node, 'ann');
    const watcher = await watch(ann, 'scores.a');
    await ann.until('the state', () => watcher.count === 1);
    const startMs = performance.now();
    for (let i = 0; i < 20; i++) await (await connect(node, `user-${i}`)).subscribe('scores.a');
    await ann.until('all of them', () => watcher.count === 21);
    const seconds = (performance.now() - startMs) / 1000;
    expect(watcher.told.length).toBeLessThanOrEqual(2 + seconds);
    expect(watcher.told.every((message) => Object.keys(message).sort().join() === 'count,topic,type')).toBe(true);
    expect(await ann.get('presence', { type: 'presence', topic: 'scores.a' })).toMatchObject({ count: 21 });
  });

  it('only counts a topic with too many members, says so, and names them again when there are fewer', async () => {
    const node = await start();
    const watcher = await watch(await connect(node, 'ann'), 'chat.a');
    const others: TestClient[] = [];
    for (let i = 0; i < 4; i++) {
      const other = await connect(node, `user-${i}`);
      await other.subscribe('chat.a');
      others.push(other);
    }
    await watcher.until(undefined, 5);
    const answer = await watcher.client.get('presence', { type: 'presence', topic: 'chat.a' });
    expect(answer).toEqual({ type: 'presence', id: answer.id, topic: 'chat.a', count: 5, membersOmitted: true });
    for (const other of others.slice(2)) await other.get('unsubscribed', { type: 'unsubscribe', topic: 'chat.a' });
    await watcher.until(['ann', 'user-0', 'user-1']);
    expect(watcher.told.filter(({ membersOmitted }) => membersOmitted)).toHaveLength(1);
  });

  it('is refused in a namespace without presence, and to clients that may not subscribe', async () => {
    const node = await start();
    const anonymous = await node.connect();
    const code = async (client: TestClient, command: Parameters<TestClient['ask']>[0]) => {
      const answer = await client.ask(command);
      return answer.type === 'error' ? answer.code : answer.type;
    };
    expect(await code(anonymous, { type: 'presence', topic: 'plain.a' })).toBe('unsupported');
    expect(await code(anonymous, { type: 'subscribe', topic: 'plain.a', presence: true })).toBe('unsupported');
    expect(await code(anonymous, { type: 'subscribe', topic: 'plain.a' })).toBe('subscribed');
    expect(await code(anonymous, { type: 'presence', topic: 'closed.a' })).toBe('unauthorized');
    expect(await code(anonymous, { type: 'presence', topic: 'nowhere.a' })).toBe('unknown_namespace');
    expect(await code(anonymous, { type: 'presence', topic: 'a b' })).toBe('bad_topic');
    const stranger = await node.connect({ encoding: 'json', token: await tokenOf({ subscribe: ['chat.>'] }) });
    expect(await code(stranger, { type: 'presence', topic: 'closed.a' })).toBe('forbidden');
    expect(await code(stranger, { type: 'presence', topic: 'chat.a' })).toBe('presence');
  });

  it('refuses a token with an info of more than 1 KiB', async () => {
    const node = await start();
    const exp = Date.now() / 1000 + 600;
    const withInfo = async (info: unknown) => {
      const client = await node.connect();
      return client.ask({ type: 'connect', token: await sign({ sub: 'ann', exp, stentor: { info } }) });
    };
    expect(await withInfo('x'.repeat(1022))).toMatchObject({ type: 'connected' });
    expect(await withInfo('x'.repeat(1023))).toMatchObject({ type: 'error', code: 'unauthorized' });
    expect(await withInfo('ä'.repeat(600))).toMatchObject({ type: 'error', code: 'unauthorized' });
  });

  it('ends with the subscription, or with a second subscribe without it', async () => {
    const node = await start();
    const ann = await connect(node, 'ann');
    const watcher = await watch(ann, 'chat.a');
    await watcher.until(['ann']);
    await ann.subscribe('chat.a');
    const eve = await watch(await connect(node, 'eve'), 'chat.a');
    const bob = await connect(node, 'bob');
    await bob.subscribe('chat.a');
    await eve.until(['ann', 'bob', 'eve']);
    await ann.settle();
    expect(watcher.told).toHaveLength(1);
    // A new subscription starts with the whole state.
    await ann.subscribe('chat.a', { presence: true });
    await watcher.until(['ann', 'bob', 'eve']);
    expect(watcher.told).toHaveLength(2);
    await ann.get('unsubscribed', { type: 'unsubscribe', topic: 'chat.a' });
    await eve.until(['bob', 'eve']);
    await ann.settle();
    expect(watcher.told).toHaveLength(2);
  });

  it('comes after the answers of the array that it was asked for in', async () => {
    const node = await start();
    const ann = await connect(node, 'ann', 'json');
    await (await connect(node, 'bob')).subscribe('chat.a', { presence: true });
    const topics = ['chat.a', 'chat.b', 'scores.a'];
    ann.sendBytes(JSON.stringify(topics.map((topic, i) => ({ type: 'subscribe', id: i + 1, topic, presence: true }))));
    await ann.until('all', () => topics.every((topic) => new Watcher(ann, topic).count !== undefined));
    for (const topic of topics) {
      const ofTopic = ann.messages.filter((message) => 'topic' in message && message.topic === topic).map(({ type }) => type);
      expect(ofTopic.slice(0, 2)).toEqual(['subscribed', 'presence']);
    }
  });

  it('lists a client that sends its token late as a user from then on', async () => {
    const node = await start();
    const watcher = await watch(await connect(node, 'ann'), 'chat.a');
    const late = await node.connect();
    const { connectionId } = await late.get('connected', { type: 'connect' });
    await late.subscribe('chat.a');
    await watcher.until([connectionId, 'ann'].sort());
    await late.get('refreshed', { type: 'refresh', token: await tokenOf({ sub: 'bob' }) });
    await watcher.until(['ann', 'bob']);
  });

  it('removes a subscription that a refreshed token no longer permits', async () => {
    const node = await start();
    const watcher = await watch(await connect(node, 'ann'), 'closed.a');
    const bob = await connect(node, 'bob');
    await bob.subscribe('closed.a');
    await watcher.until(['ann', 'bob']);
    await bob.get('refreshed', { type: 'refresh', token: await tokenOf({ sub: 'bob', subscribe: [] }) });
    await watcher.until(['ann']);
  });

  it('sends a slow consumer the whole state when its socket has room again, in place of the changes that it missed', async () => {
    const node = await start({
      namespaces: { ...NAMESPACES, chat: { ...NAMESPACES.chat, presenceMembersMax: 500 } },
      'heartbeat.pingIntervalMs': 600_000,
      'tuning.presence.graceMs': 0,
    });
    const slow = await connect(node, 'slow');
    const watcher = await watch(slow, 'chat.a');
    await watcher.until(['slow']);
    slow.track('chat.a');
    slow.pause();
    const padding = 'x'.repeat(20_000);
    while ((await node.metric('stentor_connections_lagged_total')) === 0) {
      for (let i = 0; i < 20; i++) await node.publish('chat.a', padding);
    }
    const fast = await watch(await connect(node, 'fast'), 'chat.a');
    for (let i = 0; i < 6; i++) {
      const other = await connect(node, `user-${i}`);
      await other.subscribe('chat.a');
      await fast.until(['fast', 'slow', ...Array.from({ length: i + 1 }, (_, n) => `user-${n}`)].sort());
      for (let n = 0; n < 20; n++) await node.publish('chat.a', padding);
    }
    const before = slow.messages.length;
    slow.resume();
    await watcher.until(fast.members);
    expect(watcher.told.at(-1)?.members).toHaveLength(8);
    expect(slow.messages.slice(before).filter(({ type }) => type === 'presence').length).toBeLessThanOrEqual(3);
    // And then the changes.
    await (await connect(node, 'late')).subscribe('chat.a');
    await fast.until([...(fast.members as string[]), 'late'].sort());
    await watcher.until(fast.members);
  });

  it('sends nothing on the bus and has no metrics on a node without presence', async () => {
    const node = await start({ namespaces: { plain: { public: true } } });
    expect(await (await node.admin('/metrics')).text()).not.toContain('stentor_presence');
  });

  it('shows in the metrics', async () => {
    const node = await start();
    await (await connect(node, 'ann')).subscribe('chat.a');
    await node.untilMetric('stentor_presence_topics', (topics) => topics === 1);
    expect(await node.metric('stentor_presence_member_bytes')).toBeGreaterThan(0);
  });
});
