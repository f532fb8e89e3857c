import { setTimeout as sleep } from 'node:timers/promises';
import { NAMESPACE, topicsOf } from '../fault-run.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const KILLS = 3;
const STALL_MAX_MS = 10_000;

export const leaderKilled: Scenario = {
  number: 4,
  title: '3-server NATS cluster, R3: kill -9 the stream leader 3 times',
  pass: '0 lost, 0 stored twice; publish stall < 10 s',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 300_000,
  async execute(run, size) {
    const cluster = await run.natsCluster();
    const { urls } = cluster;
    const topics = topicsOf(size.topics);
    await run.threeNodes(urls, { settings: { 'nats.streamReplicas': 3 } });
    const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const swarm = await run.swarm({ clients: size.clients, topics });
    const sdk = await run.sdkClients(9, topics);
    const clientFeed = await run.clientFeed(topics, 20);
    feed.start();
    await seconds(4);
    await run.calm(swarm);
    for (let kill = 1; kill <= KILLS; kill++) {
      const leader = await cluster.leaderOf(NAMESPACE);
      const server = cluster.servers[leader]!;
      const killedAtMs = monoMs();
      await server.kill9();
      run.say(`leader ${leader} killed`);
      const { behind, atMs } = await swarm.reach({ offsets: await feed.nextOnEachTopic(), timeoutMs: 60_000 });
      run.expect(behind === 0, `${behind} clients are not live 60 s after kill ${kill}`);
      run.figure('liveAgainMs', atMs - killedAtMs);
      run.say(`live again after ${Math.round(atMs - killedAtMs)} ms`);
      await server.restart();
      while (!(await cluster.isWhole(NAMESPACE))) await sleep(200);
      await seconds(2);
    }
    await run.judge({ urls, swarm, size, feed, clientFeed, sdk });
    run.limitMs('publishStallMs', feed.longestStallMs, STALL_MAX_MS);
    const { disconnects } = await swarm.stats();
    run.none({ disconnected: Object.values(disconnects).reduce((sum, count) => sum + count, 0) });
  },
};
