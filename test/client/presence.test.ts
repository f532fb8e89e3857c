import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Client, type PresenceChange, type PresenceMember } from '../../src/client/index.ts';
import { PresenceTracker, presenceOptions } from '../../src/client/presence.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { TestNode } from '../support/node.ts';
import { TestProxy } from '../support/proxy.ts';
import { tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const usersOf = (members: readonly PresenceMember[] | undefined) => members?.map(({ user }) => user).sort();

describe("a topic's presence", () => {
  let node: TestNode;
  let proxy: TestProxy;
  const clients: Client[] = [];

  beforeAll(async () => {
    node = await TestNode.start({
      namespaces: { chat: { public: true, presence: 'members' }, plain: { public: true } },
      'tuning.presence.graceMs': 2000,
    });
    proxy = await TestProxy.start(node.running.port);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await proxy?.stop();
    await node?.stop();
  });

  async function connected(sub: string, port = node.running.port): Promise<Client> {
    const client = new Client({
      url: `ws://127.0.0.1:${port}/ws`,
      token: await tokenOf({ sub }),
      backoff: { baseMs: 2, maxMs: 50, jitterMs: 5 },
    });
    clients.push(client);
    await client.connect();
    return client;
  }

  it('is answered, also to who is not subscribed', async () => {
    const [ann, bob] = [await connected('ann'), await connected('bob')];
    ann.topic('chat.asked').subscribe(() => {});
    await until('ann to be there', async () => (await bob.presence('chat.asked')).count === 1);
    expect(await bob.topic('chat.asked').presence()).toEqual({ count: 1, members: [{ user: 'ann' }], membersOmitted: false });
    await expect(bob.presence('plain.a')).rejects.toMatchObject({ code: 'unsupported' });
    await expect(bob.presence('a b')).rejects.toMatchObject({ code: 'invalid' });
  });

  it('is told as it changes, with all who are there, and through a reconnect', async () => {
    const told: PresenceChange[] = [];
    const ann = await connected('ann', proxy.port);
    ann.topic('chat.told', presenceOptions({ onPresence: (presence) => told.push(presence) })).subscribe(() => {});
    await until('the first', () => usersOf(told.at(-1)?.members)?.join() === 'ann');
    expect(told[0]).toEqual({ count: 1, members: [{ user: 'ann' }], membersOmitted: false, joined: [], left: [] });
    const bob = await connected('bob');
    const stop = bob.topic('chat.told').subscribe(() => {});
    await until('bob', () => usersOf(told.at(-1)?.members)?.join() === 'ann,bob');
    expect(usersOf(told.at(-1)?.joined)).toEqual(['bob']);

    proxy.cut();
    stop();
    const eve = await connected('eve');
    eve.topic('chat.told').subscribe(() => {});
    await until('what has changed', () => usersOf(told.at(-1)?.members)?.join() === 'ann,eve');
    const changes = told
      .slice(1)
      .flatMap(({ joined, left }) => [...joined.map(({ user }) => `+${user}`), ...left.map(({ user }) => `-${user}`)]);
    expect(changes.sort()).toEqual(['+bob', '+eve', '-bob']);
  });

  it('is told at once to a topic that joins the subscription late', async () => {
    const ann = await connected('ann');
    const first: PresenceChange[] = [];
    ann.topic('chat.late', presenceOptions({ onPresence: (presence) => first.push(presence) })).subscribe(() => {});
    await until('the first', () => first.length > 0);
    const late: PresenceChange[] = [];
    ann.topic('chat.late', presenceOptions({ onPresence: (presence) => late.push(presence) })).subscribe(() => {});
    expect(late).toEqual([]);
    await until('the state', () => late.length > 0);
    expect(usersOf(late[0]?.members)).toEqual(['ann']);
    expect(() => ann.topic('chat.late', {}).subscribe(() => {})).toThrow(/presence/);
  });
});

describe('The presence tracker', () => {
  const message = (fields: Partial<ServerMessage<'presence'>>): ServerMessage<'presence'> => ({
    type: 'presence',
    topic: 'chat.a',
    count: 1,
    ...fields,
  });
  const [ann, bob, anonymous] = [{ user: 'ann' }, { user: 'bob' }, { connectionId: 'ann' }];

  it('takes a state that comes in place of changes for what has changed', () => {
    const tracker = new PresenceTracker();
    expect(tracker.apply(message({ members: [ann, bob] }))).toMatchObject({ joined: [], left: [] });
    expect(tracker.apply(message({ members: [ann, anonymous] }))).toMatchObject({ joined: [anonymous], left: [bob] });
  });

  it('reports no join of a known member, and no leave of an unknown one', () => {
    const tracker = new PresenceTracker();
    tracker.apply(message({ members: [ann] }));
    expect(tracker.apply(message({ joined: [ann, bob], left: [anonymous] }))).toMatchObject({
      joined: [bob],
      left: [],
      members: [ann, bob],
    });
  });

  it('knows no members while there are too many', () => {
    const tracker = new PresenceTracker();
    tracker.apply(message({ members: [ann] }));
    expect(tracker.apply(message({ count: 900, membersOmitted: true }))).toMatchObject({
      count: 900,
      members: undefined,
      membersOmitted: true,
    });
    expect(tracker.apply(message({ count: 800 }))).toMatchObject({ count: 800, members: undefined, membersOmitted: true });
    expect(tracker.apply(message({ count: 2, members: [ann, bob] }))).toMatchObject({
      members: [ann, bob],
      membersOmitted: false,
      joined: [],
    });
  });

  it('only counts where the server does', () => {
    const tracker = new PresenceTracker();
    expect(tracker.apply(message({ count: 5 }))).toEqual({ count: 5, members: undefined, membersOmitted: false, joined: [], left: [] });
  });
});
