import { threeNodeRig } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const DELIVERED_MAX_MS = 5000;
const ROUNDS = 5;
const QUICK_ROUNDS = 2;
const BURST = 20;

export const lastMessage: Scenario = {
  number: 17,
  title: 'NATS killed just after the last message, then silence',
  pass: 'delivered within 5 s of its return',
  size: { clients: 600, ratePerSecond: 0, topics: 2, quick: false },
  timeoutMs: 120_000,
  async run(stage, size) {
    const rig = await threeNodeRig(stage, size, { feedRuns: false });
    const { feed, swarm, sdk, nats, topics } = rig;
    for (let round = 0; round < (size.quick ? QUICK_ROUNDS : ROUNDS); round++) {
      await Promise.all(topics.flatMap((topic) => Array.from({ length: BURST }, () => feed.publish(topic))));
      // Acknowledged, and perhaps on its way to nodes: nothing comes after it that would show them that it is missing.
      await nats.kill9();
      await seconds(size.quick ? 0.5 : 2);
      await nats.restart();
      const backAtMs = monoMs();
      const { behind, atMs } = await swarm.reach({ offsets: feed.lastOffsets, timeoutMs: 3 * DELIVERED_MAX_MS });
      stage.expect(behind === 0, `${behind} clients have not got the last message`);
      stage.limitMs('deliveredAfterMs', atMs - backAtMs, DELIVERED_MAX_MS);
      stage.expect((await sdk?.reach(feed.lastOffsets, DELIVERED_MAX_MS)) === 0, 'SDK clients have not got the last message');
    }
    await stage.judge(rig);
  },
};
