import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import type { SimulatedLog } from '../support/simulated-log.ts';
import { type SimulatedClient, SimulatedNode, turns } from '../support/simulated-node.ts';
import { until } from '../support/until.ts';

/** Turns in which every question to the simulated log that is under way is answered, and what follows from it asked and answered. */
const A_WHILE = 200;

let node: SimulatedNode;
beforeEach(() => {
  node = new SimulatedNode({ clients: 2, delays: [1, 0, 2] });
});
afterEach(() => node.stop());

const uidsOf = (log: SimulatedLog, topic: Topic) =>
  log.history.filter(({ publication }) => publication.topic === topic).map(({ uid }) => uid);

/** Subscribes, and lets the log deliver until the client is in. */
async function join(client: SimulatedClient, topic: Topic): Promise<void> {
  node.subscribe(client, topic);
  await until('the client to be in', () => {
    node.logOf(topic.split('.')[0] as string).deliver(100, false);
    return client.receiver?.subscriptions.get(topic)?.kind === 'member';
  });
}

/** Puts the log back, and lets it grow behind the node's back. */
function rollBack(log: SimulatedLog, count: number, grown: readonly (readonly [Topic, string])[]): void {
  log.rollBack(count, false);
  for (const [topic, key] of grown) node.publish(topic, key);
}

describe('a client with a position in a history that was lost', () => {
  const plain = 'plain.b' as Topic;
  const keyed = 'keyed.b' as Topic;

  it('is reset if the log has grown past its old end since, and everything before has expired', async () => {
    const [client] = node.clients as [SimulatedClient];
    await join(client, plain);
    for (const topic of ['plain.a' as Topic, plain, plain, plain]) node.publish(topic, 'k1');
    node.plain.deliver(4, false);
    await until('it to have four', () => client.trackers.get(plain)?.last === 4);
    node.cut(client);
    rollBack(
      node.plain,
      3,
      Array.from({ length: 4 }, () => ['plain.a' as Topic, 'k1'] as const),
    );
    node.plain.expire(4);
    node.plain.reconnect();
    await turns(A_WHILE);
    await join(client, plain);
    await node.settle();
    // Of the new history only, and what it had before is void.
    expect(client.runs.get(plain)?.uids).toEqual([]);
    expect(client.runs.get(plain)?.from).toBe(5);
  });

  it('is reset if the log has grown to exactly its old end, and nothing of it is kept', async () => {
    const [client] = node.clients as [SimulatedClient];
    await join(client, plain);
    for (const topic of ['plain.a' as Topic, plain, plain, plain]) node.publish(topic, 'k1');
    node.plain.deliver(4, false);
    await until('it to have four', () => client.trackers.get(plain)?.last === 4);
    const { epoch } = client.trackers.get(plain)!;
    rollBack(
      node.plain,
      3,
      [plain, plain, plain].map((topic) => [topic, 'k1']),
    );
    node.plain.expire(10);
    node.plain.reconnect();
    await until('the resync', () => client.trackers.get(plain)?.epoch !== epoch);
    await node.settle();
    expect(client.runs.get(plain)).toEqual({ from: 4, uids: [] });
  });

  it('is reset if a key that was published again has superseded everything that the node had seen', async () => {
    const [client] = node.clients as [SimulatedClient];
    await join(client, keyed);
    for (const key of ['k1', 'k2', 'k3']) node.publish(keyed, key);
    node.keyed.deliver(3, false);
    await until('it to have three', () => client.trackers.get(keyed)?.last === 3);
    node.cut(client);
    rollBack(
      node.keyed,
      2,
      Array.from({ length: 4 }, () => [keyed, 'k2'] as const),
    );
    node.keyed.reconnect();
    await turns(A_WHILE);
    await join(client, keyed);
    await node.settle();
    // k3 was lost: the client is not left with it.
    expect(client.trackers.get(keyed)?.state.size).toBe(2);
    expect(client.trackers.get(keyed)?.state.has('k3')).toBe(false);
  });

  it('is reset if that happened while nothing here followed', async () => {
    const [client, other] = node.clients as [SimulatedClient, SimulatedClient];
    await join(client, plain);
    for (const topic of ['plain.a' as Topic, plain, plain, plain]) node.publish(topic, 'k1');
    node.plain.deliver(4, false);
    await until('it to have four', () => client.trackers.get(plain)?.last === 4);
    node.cut(client);
    await until('nothing to be followed', () => node.plain.followerCount === 0);
    rollBack(
      node.plain,
      3,
      Array.from({ length: 4 }, () => ['plain.a' as Topic, 'k1'] as const),
    );
    node.plain.expire(4);
    node.plain.reconnect();
    await join(other, plain);
    await join(client, plain);
    await node.settle();
    expect(client.runs.get(plain)).toEqual({ from: 5, uids: [] });
  });

  it('has no position that the node had only read: what is read beyond the follower is waited for', async () => {
    const [first, client] = node.clients as [SimulatedClient, SimulatedClient];
    await join(first, 'plain.a' as Topic);
    node.publish(plain, 'k1');
    node.publish(plain, 'k1');
    node.subscribe(client, plain);
    await turns(A_WHILE);
    // Read, and not delivered: nothing is said of it.
    expect(client.trackers.get(plain)?.epoch).toBe('');
    rollBack(
      node.plain,
      2,
      [plain, plain, plain].map((topic) => [topic, 'k1']),
    );
    node.plain.reconnect();
    await node.settle();
    const { from, uids } = client.runs.get(plain)!;
    expect(from).toBeGreaterThan(0);
    expect(uids).toEqual(uidsOf(node.plain, plain).slice(from));
    expect(client.trackers.get(plain)?.items.map(({ data }) => data)).toEqual([5]);
  });
});
