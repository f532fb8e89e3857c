import { type FaultRun, topicsOf } from '../fault-run.ts';
import { lifeOf } from '../ledger.ts';
import type { Scenario, Size } from '../scenario.ts';
import { seconds } from '../time.ts';

const KEPT_COUNT = 200;
const KEPT_MS = 5000;
/** Published while clients are away, and what of it they can be given. */
const AWAY = [
  { count: KEPT_COUNT - 1, kept: 'all' },
  { count: KEPT_COUNT, kept: 'perhaps' },
  { count: KEPT_COUNT * 3, kept: 'not' },
] as const;

export const pastRetention: Scenario = {
  number: 16,
  title: 'offline past retention, by count and by age',
  pass: '`recovered: false` and a snapshot, never a part; within retention: everything',
  size: { clients: 600, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    await byCount(run, size);
    await byAge(run, size);
  },
};

async function byCount(run: FaultRun, size: Size): Promise<void> {
  const { swarm, feed, publish, restart, topics } = await play(run, size, { maxCount: KEPT_COUNT });
  await publish(50);
  await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: 20_000 });
  // A node that has seen everything may have it in memory still; one that starts has the log alone.
  for (const restarted of size.quick ? [true] : [false, true]) {
    for (const { count, kept } of AWAY) {
      await swarm.resetStats();
      await swarm.leave();
      await publish(count);
      if (restarted) await restart();
      await swarm.comeBack();
      const { behind, examples } = await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: 20_000 });
      run.expect(behind === 0, `${behind} clients are not back: ${examples.join(' ')}`);
      const { notRecovered } = await swarm.stats();
      // At exactly as many as are kept the client's own place is gone: the proof may succeed in another way, or not.
      const how = `${count} behind where ${KEPT_COUNT} are kept, node ${restarted ? 'restarted' : 'running'}`;
      if (kept === 'all') run.expect(notRecovered === 0, `${notRecovered} clients were refused what is there (${how})`);
      // A node that ran on may remember more than the log.
      if (kept === 'not' && restarted)
        run.expect(notRecovered === size.clients, `${notRecovered} of ${size.clients} clients were told (${how})`);
    }
  }
  await judge(run, size, { swarm, feed, topics });
}

async function byAge(run: FaultRun, size: Size): Promise<void> {
  const { swarm, feed, publish, restart, topics } = await play(run, size, { maxAgeMs: KEPT_MS });
  await publish(20);
  await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: 20_000 });
  await swarm.leave();
  await publish(20);
  await Promise.all([seconds(KEPT_MS / 1000 + 1.5), restart()]);
  await publish(5);
  await swarm.comeBack();
  const { behind, examples } = await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: 20_000 });
  run.expect(behind === 0, `${behind} clients are not back: ${examples.join(' ')}`);
  const { notRecovered } = await swarm.stats();
  run.expect(notRecovered === size.clients, `by age: ${notRecovered} of ${size.clients} clients were told`);
  await judge(run, size, { swarm, feed, topics });
}

async function play(run: FaultRun, size: Size, history: Readonly<Record<string, unknown>>) {
  const nats = await run.nats();
  const urls = [nats.url];
  const topics = topicsOf(size.topics);
  // Rings that reach back less than the log, so that the log is what is asked; a burst overruns them, and clients repair that.
  const node = await run.node(urls, { history, settings: { 'tuning.recent.itemsPerTopicMax': 16 } });
  const feed = await run.feed({ urls, topics, ratePerSecond: 1 });
  const swarm = await run.swarm({ clients: size.clients, topics, ports: [node.port] });
  const publish = async (countPerTopic: number) => {
    await Promise.all(topics.flatMap((topic) => Array.from({ length: countPerTopic }, () => feed.publish(topic))));
  };
  const restart = async () => {
    await node.kill9();
    await node.start();
  };
  return { swarm, feed, publish, restart, topics };
}

/** By what was acknowledged: the store has forgotten most of it. */
async function judge(
  run: FaultRun,
  size: Size,
  { swarm, feed }: Pick<Awaited<ReturnType<typeof play>>, 'swarm' | 'feed' | 'topics'>,
): Promise<void> {
  const { epochs } = await swarm.stats();
  run.expect(epochs.length === 1, `clients have seen ${epochs.length} epochs`);
  await run.judgeClients(
    { urls: [], swarm, size, declarationsAllowed: true },
    [lifeOf(epochs[0] ?? '', feed.acknowledged)],
    feed.acknowledged,
  );
}
