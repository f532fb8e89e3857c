import { allLive, threeNodeRig } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const LIVE_AGAIN_MAX_MS = 3000;

export const natsKilled: Scenario = {
  number: 3,
  title: 'kill -9 NATS, 10 s away under load',
  pass: 'durable: 0 lost, 0 stored twice; nobody disconnected; live again < 3 s after its return',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 180_000,
  async run(stage, size) {
    const rig = await threeNodeRig(stage, size);
    const clientFeed = await stage.clientFeed(rig.topics, 20);
    await rig.nats.kill9();
    stage.say('NATS killed');
    await seconds(size.quick ? 2 : 10);
    await rig.nats.restart();
    const backAtMs = monoMs();
    stage.limitMs('liveAgainMs', (await allLive(stage, rig)) - backAtMs, LIVE_AGAIN_MAX_MS);
    await seconds(size.quick ? 1 : 4);
    await stage.judge({ ...rig, clientFeed });
    const { disconnects } = await rig.swarm.stats();
    stage.none({ disconnected: Object.values(disconnects).reduce((sum, count) => sum + count, 0) });
  },
};
