import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultRun, topicsOf } from '../fault-run.ts';
import { LiveWatch } from '../live-watch.ts';
import { cutOff, heal, inOwnNetwork } from '../own-network.ts';
import type { RestartableNode } from '../restartable-node.ts';
import type { Scenario } from '../scenario.ts';
import { againIn, type ThreeNodes } from '../three-nodes.ts';
import { monoMs, seconds } from '../time.ts';

const NOTICED_MAX_MS = 5000;
/** The node that is cut off reaches NATS by this address, everybody else by 127.0.0.1. */
const CUT_ADDRESS = '127.0.0.2';

export const natsCut: Scenario = {
  number: 5,
  title: 'a node cut off from NATS (nftables drop), then NATS stopped (SIGSTOP)',
  pass: 'noticed < 5 s; /health/ready says so, clients are told and stay connected; the feed live < 3 s after healing; 0 lost',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 180_000,
  ownNetwork: true,
  async execute(run, size) {
    const nats = await run.nats({ config: 'host: 0.0.0.0' });
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    const cutNode = await run.node([`nats://${CUT_ADDRESS}:${nats.port}`]);
    const nodes = [cutNode, await run.node(urls), await run.node(urls)] as const;
    const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const swarm = await run.swarm({ clients: size.clients, topics });
    const sdk = await run.sdkClients(9, topics);
    const watch = await LiveWatch.start(run, urls);
    const cluster: ThreeNodes = { urls, nats, nodes, feed, swarm, sdk, topics, size };
    feed.start();
    await seconds(3);
    await run.calm(swarm);

    if (inOwnNetwork()) {
      await away(run, cluster, watch, 'cut', [cutNode], {
        begin: () => cutOff(CUT_ADDRESS, nats.port),
        end: heal,
      });
    } else {
      run.note('no network namespace may be made here (root and nftables are needed): only SIGSTOP was tried');
    }
    await away(run, cluster, watch, 'stopped', nodes, {
      begin: () => nats.signal('SIGSTOP'),
      end: () => nats.signal('SIGCONT'),
    });
    await seconds(2);
    await run.judge({ ...cluster, published: watch.acknowledged });
    const { disconnects } = await swarm.stats();
    run.none({ disconnected: Object.values(disconnects).reduce((sum, count) => sum + count, 0) });
  },
};

interface Fault {
  begin(): void;
  end(): void;
}

/** NATS is out of reach of these nodes for a while. */
async function away(
  run: FaultRun,
  cluster: ThreeNodes,
  watch: LiveWatch,
  name: string,
  nodes: readonly RestartableNode[],
  fault: Fault,
): Promise<void> {
  const { swarm, sdk, size } = cluster;
  await swarm.resetStats();
  const beganAtMs = monoMs();
  fault.begin();
  run.say(`${name}: begun`);
  for (const node of nodes) {
    while ((await node.ready()) !== 503 && monoMs() - beganAtMs < 3 * NOTICED_MAX_MS) await sleep(50);
    run.limitMs(`${name}NoticedMs`, monoMs() - beganAtMs, NOTICED_MAX_MS);
  }
  // Told within a moment of the node's own notice.
  await seconds(1);
  const { told } = await swarm.stats();
  const expected = Math.floor((size.clients * nodes.length) / cluster.nodes.length);
  const toldCount = Object.values(told).reduce((sum, count) => sum + count, 0);
  run.expect(toldCount >= expected, `${name}: ${toldCount} of ${expected} clients were told: ${JSON.stringify(told)}`);
  const sdkTold = sdk?.told.feedAway ?? 0;
  run.expect(sdkTold > 0, `${name}: no SDK client was told`);
  await seconds(4);
  fault.end();
  run.say(`${name}: healed`);
  await againIn(run, cluster, watch, name);
  run.say(`${name}: ${JSON.stringify(await swarm.stats())}`);
  for (const node of nodes) await node.untilReady();
}
