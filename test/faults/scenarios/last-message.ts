import { type Rig, threeNodeRig } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { monoMs, seconds } from '../time.ts';

const DELIVERED_MAX_MS = 5000;
const BURST = 20;
/** More than the kernel's buffers between NATS and a node hold, so that the last of it is lost with NATS. */
const LARGE = { countPerTopic: 350, padBytes: 8000 };

export const lastMessage: Scenario = {
  number: 17,
  title: 'NATS killed just after the last message, then silence',
  pass: 'delivered within 5 s of its return',
  size: { clients: 30, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 120_000,
  async run(stage, size) {
    const rig = await threeNodeRig(stage, size, { feedRuns: false });
    await publish(rig, BURST, 0);
    await rig.swarm.reach({ offsets: rig.feed.lastOffsets, timeoutMs: 20_000 });
    await stage.calm(rig.swarm);
    for (let round = 0; round < (size.quick ? 1 : 3); round++) {
      await killed(stage, rig, async () => {
        await publish(rig, BURST, 0);
        await rig.nats.kill9();
      });
      await killed(stage, rig, async () => {
        // Hubs that read nothing for a moment: what was acknowledged is with NATS alone when it dies.
        for (const node of rig.nodes) process.kill(node.pid, 'SIGSTOP');
        await publish(rig, LARGE.countPerTopic, LARGE.padBytes);
        await rig.nats.kill9();
        for (const node of rig.nodes) process.kill(node.pid, 'SIGCONT');
        await seconds(1);
        const { behind } = await rig.swarm.reach({ offsets: rig.feed.lastOffsets, timeoutMs: 1 });
        stage.expect(behind > 0, 'every client had the last message before NATS was back: nothing was tried');
      });
    }
    await stage.judge(rig);
  },
};

/** Nothing comes after the last message that would show anybody that it is missing. */
async function killed(stage: Stage, { nats, nodes, swarm, sdk, feed, size }: Rig, publishAndKill: () => Promise<void>): Promise<void> {
  for (const node of nodes) await node.untilReady();
  await publishAndKill();
  await seconds(size.quick ? 0.5 : 2);
  await nats.restart();
  const backAtMs = monoMs();
  const { behind, atMs } = await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: 3 * DELIVERED_MAX_MS });
  stage.expect(behind === 0, `${behind} clients have not got the last message`);
  stage.limitMs('deliveredAfterMs', atMs - backAtMs, DELIVERED_MAX_MS);
  stage.expect((await sdk?.reach(feed.lastOffsets, DELIVERED_MAX_MS)) === 0, 'SDK clients have not got the last message');
}

async function publish({ feed, topics }: Rig, countPerTopic: number, padBytes: number): Promise<void> {
  await Promise.all(topics.flatMap((topic) => Array.from({ length: countPerTopic }, () => feed.publish(topic, padBytes))));
}
