import { LiveWatch } from '../live-watch.ts';
import type { Scenario } from '../scenario.ts';
import { againIn, startThreeNodes } from '../three-nodes.ts';
import { seconds } from '../time.ts';

export const natsKilled: Scenario = {
  number: 3,
  title: 'kill -9 NATS, 10 s away under load',
  pass: 'durable: 0 lost, 0 stored twice; no client disconnected; the feed of every node live < 3 s after its return',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 180_000,
  async execute(run, size) {
    const cluster = await startThreeNodes(run, size);
    const clientFeed = await run.clientFeed(cluster.topics, 20);
    const watch = await LiveWatch.start(run, cluster.urls);
    await cluster.nats.kill9();
    run.say('NATS killed');
    await seconds(size.quick ? 2 : 10);
    await cluster.nats.restart();
    await againIn(run, cluster, watch, 'killed');
    await seconds(size.quick ? 1 : 4);
    await run.judge({ ...cluster, clientFeed, published: watch.acknowledged });
    const { disconnects } = await cluster.swarm.stats();
    run.none({ disconnected: Object.values(disconnects).reduce((sum, count) => sum + count, 0) });
  },
};
