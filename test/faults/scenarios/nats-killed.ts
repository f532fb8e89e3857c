import type { Scenario } from '../scenario.ts';
import { topicsOf } from '../stage.ts';
import { monoMs, seconds } from '../time.ts';

const LIVE_AGAIN_MAX_MS = 3000;

export const natsKilled: Scenario = {
  number: 3,
  title: 'kill -9 NATS, away under load',
  pass: 'durable: 0 lost, 0 stored twice; nobody disconnected; live again < 3 s after its return',
  size: { clients: 3000, ratePerSecond: 1000, topics: 4, quick: false },
  timeoutMs: 180_000,
  async run(stage, size) {
    const nats = await stage.nats();
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    await stage.threeNodes(urls);
    const feed = await stage.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const swarm = await stage.swarm({ clients: size.clients, topics });
    const sdk = await stage.sdkClients(9, topics);
    const clientFeed = await stage.clientFeed(topics, 20);
    feed.start();
    await seconds(size.quick ? 1 : 5);
    await nats.kill9();
    stage.say('NATS killed');
    await seconds(size.quick ? 2 : 10);
    await nats.restart();
    const backAtMs = monoMs();
    const reached = await swarm.reach({ offsets: await feed.nextOnEachTopic(), timeoutMs: 30_000 });
    stage.limit('liveAgainMs', reached.atMs - backAtMs, LIVE_AGAIN_MAX_MS);
    await seconds(size.quick ? 1 : 5);
    await stage.judge({ urls, swarm, size, feed, clientFeed, sdk });
    const { disconnects } = await swarm.stats();
    stage.none({ disconnects: Object.values(disconnects).reduce((sum, count) => sum + count, 0) });
  },
};
