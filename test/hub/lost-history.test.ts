import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Topic } from '../../src/protocol/topic.ts';
import { DurableWorld, type SimClient, turns } from '../support/durable-world.ts';
import type { SimLog } from '../support/sim-log.ts';
import { until } from '../support/until.ts';

/** Turns in which every question to the simulated log that is under way is answered, and what follows from it asked and answered. */
const A_WHILE = 200;

let world: DurableWorld;
beforeEach(() => {
  world = new DurableWorld({ clients: 2, delays: [1, 0, 2] });
});
afterEach(() => world.stop());

const uidsOf = (log: SimLog, topic: Topic) => log.history.filter(({ publication }) => publication.topic === topic).map(({ uid }) => uid);

/** Subscribes, and lets the log deliver until the client is in. */
async function join(client: SimClient, topic: Topic): Promise<void> {
  world.subscribe(client, topic);
  await until('the client to be in', () => {
    world.logOf(topic.split('.')[0] as string).deliver(100, false);
    return client.connection?.subscriptions.get(topic)?.kind === 'member';
  });
}

/** Puts the log back, and lets it grow behind the node's back. */
function rollBack(log: SimLog, count: number, grown: readonly (readonly [Topic, string])[]): void {
  log.rollBack(count, false);
  for (const [topic, key] of grown) world.publish(topic, key);
}

describe('a client with a position in a history that was lost', () => {
  const plain = 'plain.b' as Topic;
  const keyed = 'keyed.b' as Topic;

  it('begins anew where the log has grown past its old end since, and all from before then has expired', async () => {
    const [client] = world.clients as [SimClient];
    await join(client, plain);
    for (const topic of ['plain.a' as Topic, plain, plain, plain]) world.publish(topic, 'k1');
    world.plain.deliver(4, false);
    await until('it to have four', () => client.trackers.get(plain)?.last === 4);
    world.cut(client);
    rollBack(
      world.plain,
      3,
      Array.from({ length: 4 }, () => ['plain.a' as Topic, 'k1'] as const),
    );
    world.plain.expire(4);
    world.plain.reconnect();
    await turns(A_WHILE);
    await join(client, plain);
    await world.settle();
    // Of the new history only, and what it had before is void.
    expect(client.runs.get(plain)?.uids).toEqual([]);
    expect(client.runs.get(plain)?.from).toBe(5);
  });

  it('begins anew where the log has grown to its old end exactly, and nothing of it is kept', async () => {
    const [client] = world.clients as [SimClient];
    await join(client, plain);
    for (const topic of ['plain.a' as Topic, plain, plain, plain]) world.publish(topic, 'k1');
    world.plain.deliver(4, false);
    await until('it to have four', () => client.trackers.get(plain)?.last === 4);
    const { epoch } = client.trackers.get(plain)!;
    rollBack(
      world.plain,
      3,
      [plain, plain, plain].map((topic) => [topic, 'k1']),
    );
    world.plain.expire(10);
    world.plain.reconnect();
    await until('it to be told to begin anew', () => client.trackers.get(plain)?.epoch !== epoch);
    await world.settle();
    expect(client.runs.get(plain)).toEqual({ from: 4, uids: [] });
  });

  it('begins anew where a key that was published to again has superseded all that the node had seen', async () => {
    const [client] = world.clients as [SimClient];
    await join(client, keyed);
    for (const key of ['k1', 'k2', 'k3']) world.publish(keyed, key);
    world.keyed.deliver(3, false);
    await until('it to have three', () => client.trackers.get(keyed)?.last === 3);
    world.cut(client);
    rollBack(
      world.keyed,
      2,
      Array.from({ length: 4 }, () => [keyed, 'k2'] as const),
    );
    world.keyed.reconnect();
    await turns(A_WHILE);
    await join(client, keyed);
    await world.settle();
    // k3 was lost: the client is not left with it.
    expect(client.trackers.get(keyed)?.state.size).toBe(2);
    expect(client.trackers.get(keyed)?.state.has('k3')).toBe(false);
  });

  it('begins anew where that happened while nobody here followed', async () => {
    const [client, other] = world.clients as [SimClient, SimClient];
    await join(client, plain);
    for (const topic of ['plain.a' as Topic, plain, plain, plain]) world.publish(topic, 'k1');
    world.plain.deliver(4, false);
    await until('it to have four', () => client.trackers.get(plain)?.last === 4);
    world.cut(client);
    await until('nothing to be followed', () => world.plain.followerCount === 0);
    rollBack(
      world.plain,
      3,
      Array.from({ length: 4 }, () => ['plain.a' as Topic, 'k1'] as const),
    );
    world.plain.expire(4);
    world.plain.reconnect();
    await join(other, plain);
    await join(client, plain);
    await world.settle();
    expect(client.runs.get(plain)).toEqual({ from: 5, uids: [] });
  });

  it('has no position that the node had only read: what is read beyond the follower is waited for', async () => {
    const [first, client] = world.clients as [SimClient, SimClient];
    await join(first, 'plain.a' as Topic);
    world.publish(plain, 'k1');
    world.publish(plain, 'k1');
    world.subscribe(client, plain);
    await turns(A_WHILE);
    // Read, and not delivered: nothing is said of it.
    expect(client.trackers.get(plain)?.epoch).toBe('');
    rollBack(
      world.plain,
      2,
      [plain, plain, plain].map((topic) => [topic, 'k1']),
    );
    world.plain.reconnect();
    await world.settle();
    const { from, uids } = client.runs.get(plain)!;
    expect(from).toBeGreaterThan(0);
    expect(uids).toEqual(uidsOf(world.plain, plain).slice(from));
    expect(client.trackers.get(plain)?.items.map(({ data }) => data)).toEqual([5]);
  });
});
