import { TestClient } from '../../support/test-client.ts';
import { topicsOf } from '../fault-run.ts';
import type { Scenario } from '../scenario.ts';
import { skewedClock } from '../skewed-clock.ts';
import { seconds } from '../time.ts';

const SKEW_MS = 300_000;
/** What starting a client and being answered may take. */
const TOLERANCE_MS = 10_000;

export const clockSkew: Scenario = {
  number: 20,
  title: 'clock of one node 5 minutes ahead, of another 5 minutes behind',
  pass: 'ordering untouched',
  size: { clients: 1500, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const nats = await run.nats();
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    for (const skewMs of [SKEW_MS, -SKEW_MS, 0]) {
      const { env, how } = skewMs === 0 ? { env: {}, how: '' } : skewedClock(skewMs);
      if (how !== '') run.note(`clock moved by ${how}`);
      const node = await run.node(urls, { env });
      const foundMs = (await serverTimeMs(node.port)) - Date.now();
      run.expect(Math.abs(foundMs - skewMs) < TOLERANCE_MS, `the clock of ${node.name} is off by ${foundMs} ms, ${skewMs} was wanted`);
    }
    const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const swarm = await run.swarm({ clients: size.clients, topics });
    const sdk = await run.sdkClients(9, topics);
    const clientFeed = await run.clientFeed(topics, 20);
    feed.start();
    await seconds(size.quick ? 1 : 4);
    await run.calm(swarm);
    // Clients of a node whose clock is ahead go on at one whose clock is behind.
    const [ahead, behind] = run.nodes;
    await ahead?.kill9();
    await seconds(size.quick ? 1 : 3);
    await ahead?.start();
    await behind?.kill9();
    await seconds(size.quick ? 1 : 3);
    await behind?.start();
    await run.judge({ urls, swarm, size, feed, clientFeed, sdk });
  },
};

async function serverTimeMs(port: number): Promise<number> {
  const client = await TestClient.connect(`ws://127.0.0.1:${port}/ws`);
  try {
    client.send({ type: 'ping', t: 1 });
    return (await client.next('pong')).serverTimeMs;
  } finally {
    await client.close();
  }
}
