import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeConnections, mergeTopics, mergeUsers } from '../../../src/hub/finding/merge.ts';
import { decodeAnswer, encodeAnswer, type FoundOf } from '../../../src/hub/finding/messages.ts';
import { pageOfNames } from '../../../src/hub/page-of-names.ts';

type Users = ReadonlyMap<string, number>;

/** A node's page, as it leaves the node: cut to few bytes. */
function pageOf(
  users: Users,
  { after, limit, bytesMax }: { after: string | undefined; limit: number; bytesMax: number },
): FoundOf<'users'> {
  const { names, ...page } = pageOfNames(users.keys(), { after, limit });
  const found = { kind: 'users' as const, ...page, users: names.map((user) => ({ user, connections: users.get(user) ?? 0 })) };
  const answer = decodeAnswer(encodeAnswer({ questionId: '1', from: 'i', nodeId: 'n', found }, bytesMax));
  return answer?.found as FoundOf<'users'>;
}

/** All pages, one after the other. */
function readAll(nodes: readonly Users[], limit: number, bytesMax: number): { user: string; connections: number }[] {
  const read: { user: string; connections: number }[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < 1000; pages++) {
    const page = mergeUsers(
      nodes.map((users) => pageOf(users, { after, limit, bytesMax })),
      limit,
    );
    expect(page.users.length).toBeLessThanOrEqual(limit);
    read.push(...page.users);
    if (page.next === undefined) return read;
    after = page.next;
  }
  throw new Error('the pages do not end');
}

describe('users of several nodes', () => {
  it('are each found once, with all their connections, whatever the size of a page and of an answer', () => {
    const node = fc
      .array(fc.tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 5 })), { maxLength: 30 })
      .map((pairs) => new Map(pairs));
    fc.assert(
      fc.property(
        fc.array(node, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 60, max: 400 }),
        (nodes, limit, bytesMax) => {
          const expected = new Map<string, number>();
          for (const users of nodes) for (const [user, count] of users) expected.set(user, (expected.get(user) ?? 0) + count);
          const names = [...expected.keys()].sort();
          expect(readAll(nodes, limit, bytesMax)).toEqual(names.map((user) => ({ user, connections: expected.get(user) })));
        },
      ),
    );
  });

  it('are counted as the least that there can be', () => {
    const page = (total: number, ...users: string[]) => ({
      kind: 'users' as const,
      total,
      users: users.map((user) => ({ user, connections: 1 })),
    });
    expect(mergeUsers([page(2, 'ann', 'bob'), page(2, 'bob', 'cai')], 10).total).toBe(3);
    expect(mergeUsers([{ ...page(100, 'ann'), next: 'ann' }, page(1, 'bob')], 1)).toMatchObject({
      total: 100,
      next: 'ann',
      users: [{ user: 'ann' }],
    });
  });
});

describe('topics of several nodes', () => {
  const topic = (name: string, members: number, publicationsPerSecond: number) => ({
    topic: name,
    members,
    lagging: 1,
    publicationsPerSecond,
  });
  const pages = [
    { kind: 'topics' as const, total: 2, workersSilent: 1, topics: [topic('a', 5, 10), topic('b', 4, 2)] },
    { kind: 'topics' as const, total: 2, workersSilent: 0, topics: [topic('b', 4, 3), topic('c', 1, 20)] },
  ];

  it('have the members of all nodes, and the rate of one, because each node gets every publication', () => {
    expect(mergeTopics(pages, 'members', 2)).toEqual({
      sort: 'members',
      total: 3,
      workersSilent: 1,
      topics: [
        { topic: 'b', members: 8, lagging: 2, publicationsPerSecond: 3 },
        { topic: 'a', members: 5, lagging: 1, publicationsPerSecond: 10 },
      ],
    });
    expect(mergeTopics(pages, 'rate', 1).topics.map(({ topic }) => topic)).toEqual(['c']);
    expect(mergeTopics(pages, 'name', 2)).toMatchObject({ topics: [{ topic: 'a' }, { topic: 'b' }], next: 'b' });
  });
});

describe('connections of several nodes', () => {
  it('say which node they are on, and how many there are beyond the limit', () => {
    const connection = (connectionId: string) => ({
      connectionId,
      user: 'ann',
      encoding: 'json' as const,
      connectedForMs: 1000,
      subscriptions: 0,
      topics: [],
      lagging: false,
      bufferedBytes: 0,
    });
    const found = (total: number, ...ids: string[]) => ({
      kind: 'connections' as const,
      total,
      workersSilent: 0,
      connections: ids.map(connection),
    });
    const merged = mergeConnections(
      [
        { nodeId: 'one', found: found(1, 'x') },
        { nodeId: 'two', found: found(5, 'y', 'z') },
      ],
      2,
    );
    expect(merged.total).toBe(6);
    expect(merged.connections.map(({ nodeId, connectionId }) => [nodeId, connectionId])).toEqual([
      ['one', 'x'],
      ['two', 'y'],
    ]);
  });
});
