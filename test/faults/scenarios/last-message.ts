import { untilStopped } from '../../support/until-stopped.ts';
import type { FaultRun } from '../fault-run.ts';
import type { Scenario } from '../scenario.ts';
import { startThreeNodes, type ThreeNodes } from '../three-nodes.ts';
import { monoMs, seconds } from '../time.ts';

const DELIVERED_MAX_MS = 5000;
/** A busy machine takes longer; who has not got it by then never will. */
const REACH_TIMEOUT_MS = 30_000;
const BURST = 20;
/** More than the kernel's buffers between NATS and a node hold, so that the last of it is lost with NATS. */
const LARGE = { countPerTopic: 350, padBytes: 8000 };

export const lastMessage: Scenario = {
  number: 17,
  title: 'NATS killed just after the last message, then silence',
  pass: 'delivered within 5 s of its return',
  size: { clients: 30, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const cluster = await startThreeNodes(run, size, { feedRuns: false });
    await publish(cluster, BURST, 0);
    await cluster.swarm.reach({ offsets: cluster.feed.lastOffsets, timeoutMs: 20_000 });
    await run.calm(cluster.swarm);
    for (let round = 0; round < (size.quick ? 1 : 3); round++) {
      await killed(run, cluster, async () => {
        await publish(cluster, BURST, 0);
        await cluster.nats.kill9();
      });
      await killed(run, cluster, async () => {
        // Hubs that read nothing for a moment: what was acknowledged is with NATS alone when it dies.
        for (const { pid } of cluster.nodes) {
          process.kill(pid, 'SIGSTOP');
          untilStopped(pid);
        }
        await publish(cluster, LARGE.countPerTopic, LARGE.padBytes);
        await cluster.nats.kill9();
        for (const node of cluster.nodes) process.kill(node.pid, 'SIGCONT');
        await seconds(1);
        const { behind } = await cluster.swarm.reach({ offsets: cluster.feed.lastOffsets, timeoutMs: 1 });
        run.expect(behind > 0, 'every client had the last message before NATS was back: nothing was tried');
      });
    }
    await run.judge(cluster);
  },
};

/** Nothing comes after the last message that would show anybody that it is missing. */
async function killed(
  run: FaultRun,
  { nats, nodes, swarm, sdk, feed, size }: ThreeNodes,
  publishAndKill: () => Promise<void>,
): Promise<void> {
  for (const node of nodes) await node.untilReady();
  await publishAndKill();
  await seconds(size.quick ? 0.5 : 2);
  await nats.restart();
  const backAtMs = monoMs();
  const { behind, atMs } = await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: REACH_TIMEOUT_MS });
  run.expect(behind === 0, `${behind} clients have not got the last message`);
  run.limitMs('deliveredAfterMs', atMs - backAtMs, DELIVERED_MAX_MS);
  run.expect((await sdk?.reach(feed.lastOffsets, REACH_TIMEOUT_MS)) === 0, 'SDK clients have not got the last message');
}

async function publish({ feed, topics }: ThreeNodes, countPerTopic: number, padBytes: number): Promise<void> {
  await Promise.all(topics.flatMap((topic) => Array.from({ length: countPerTopic }, () => feed.publish(topic, padBytes))));
}
