import type { Scenario } from '../scenario.ts';
import { allLive, startThreeNodes } from '../three-nodes.ts';
import { monoMs, seconds } from '../time.ts';

const LIVE_AGAIN_MAX_MS = 3000;

export const natsKilled: Scenario = {
  number: 3,
  title: 'kill -9 NATS, 10 s away under load',
  pass: 'durable: 0 lost, 0 stored twice; no client disconnected; live again < 3 s after its return',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 180_000,
  async execute(run, size) {
    const cluster = await startThreeNodes(run, size);
    const clientFeed = await run.clientFeed(cluster.topics, 20);
    await cluster.nats.kill9();
    run.say('NATS killed');
    await seconds(size.quick ? 2 : 10);
    await cluster.nats.restart();
    const backAtMs = monoMs();
    run.limitMs('liveAgainMs', (await allLive(run, cluster)) - backAtMs, LIVE_AGAIN_MAX_MS);
    await seconds(size.quick ? 1 : 4);
    await run.judge({ ...cluster, clientFeed });
    const { disconnects } = await cluster.swarm.stats();
    run.none({ disconnected: Object.values(disconnects).reduce((sum, count) => sum + count, 0) });
  },
};
