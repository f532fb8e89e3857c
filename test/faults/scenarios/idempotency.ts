import type { PublishAck } from '../../../src/client/index.ts';
import { Client } from '../../../src/client/index.ts';
import { tokenOf } from '../../support/tokens.ts';
import { type FaultRun, NAMESPACE, topicsOf } from '../fault-run.ts';
import type { Acknowledged } from '../ledger.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const KEYS = 200;
const QUICK_KEYS = 50;

export const sameKey: Scenario = {
  number: 12,
  title: 'the same idempotency key to 3 nodes at once; and after a leader kill',
  pass: 'stored once, the same offset answered',
  size: { clients: 300, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 180_000,
  async execute(run, size) {
    // Quick: one server, killed and started again, stands for a leader.
    const cluster = size.quick ? undefined : await run.natsCluster();
    const single = size.quick ? await run.nats() : undefined;
    const urls = cluster?.urls ?? [single!.url];
    const topics = topicsOf(size.topics);
    await run.threeNodes(urls, { settings: { 'nats.streamReplicas': size.quick ? 1 : 3 } });
    const swarm = await run.swarm({ clients: size.clients, topics });
    const clients = await publishers(run);
    const keys = Array.from({ length: size.quick ? QUICK_KEYS : KEYS }, (_, i) => i);
    const acknowledged: Acknowledged[] = [];
    const publishAll = (from: number) =>
      Promise.all(
        keys.map(async (i) => {
          const id = from + i;
          const topic = topics[i % topics.length]!;
          const publish = (client: Client) => client.publish(topic, { id }, { idempotencyKey: `key-${id}` });
          const acks = await Promise.all(clients.map(publish));
          judge(run, id, acks);
          for (const { offset = 0 } of acks) acknowledged.push({ topic, id, offset });
        }),
      );

    await publishAll(1);
    await run.calm(swarm);
    // The same keys while the leader dies, and new ones.
    const leader = cluster === undefined ? single! : cluster.servers[await cluster.leaderOf(NAMESPACE)]!;
    const again = publishAll(1);
    const fresh = publishAll(10_001);
    await leader.kill9();
    if (cluster === undefined) {
      await seconds(1);
      await leader.restart();
    }
    await Promise.all([again, fresh]);
    await publishAll(10_001);
    if (cluster !== undefined) await leader.restart();
    run.figure('keys', keys.length * 2);
    await judgeStored(run, { urls, swarm, size }, acknowledged);
  },
};

export const sameKeyElsewhere: Scenario = {
  number: 13,
  title: 'the same key on another topic, and of another user',
  pass: 'both stored and delivered',
  size: { clients: 300, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 60_000,
  async execute(run, size) {
    const nats = await run.nats();
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    await run.node(urls);
    const swarm = await run.swarm({ clients: size.clients, topics });
    const [alice] = (await publishers(run)) as [Client];
    const [bob] = (await publishers(run, 'bob')) as [Client];
    const acknowledged: Acknowledged[] = [];
    const keys = Array.from({ length: size.quick ? QUICK_KEYS : KEYS }, (_, i) => i);
    let id = 0;
    const publish = async (client: Client, topic: string, key: number) => {
      const mine = ++id;
      const { offset = 0, duplicate } = await client.publish(topic, { id: mine }, { idempotencyKey: `key-${key}` });
      run.expect(!duplicate, `key-${key} on ${topic} was taken for a duplicate`);
      acknowledged.push({ topic, id: mine, offset });
    };
    await Promise.all(keys.flatMap((key) => topics.flatMap((topic) => [publish(alice, topic, key), publish(bob, topic, key)])));
    run.figure('keys', keys.length);
    await judgeStored(run, { urls, swarm, size }, acknowledged);
    await run.calm(swarm);
  },
};

/** One client at each node, all the same user. */
async function publishers(run: FaultRun, sub = 'alice'): Promise<Client[]> {
  const token = await tokenOf({ sub, expiresInMs: 600_000 });
  const clients = run.nodes.map(({ port }) => new Client({ url: `ws://127.0.0.1:${port}/ws`, token, publish: { inFlightMax: 50 } }));
  for (const client of clients) {
    client.on('error', () => {});
    run.onEnd(() => client.close());
  }
  await Promise.all(clients.map((client) => client.connect()));
  return clients;
}

function judge(run: FaultRun, id: number, acks: readonly PublishAck[]): void {
  const offsets = new Set(acks.map(({ offset }) => offset));
  run.expect(offsets.size === 1, `key ${id} was answered with the offsets ${[...offsets].join(', ')}`);
  const first = acks.filter(({ duplicate }) => !duplicate).length;
  run.expect(first <= 1, `key ${id} was answered as new ${first} times`);
}

async function judgeStored(
  run: FaultRun,
  participants: Parameters<FaultRun['judge']>[0],
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  await run.judge({ ...participants, published: acknowledged });
}
