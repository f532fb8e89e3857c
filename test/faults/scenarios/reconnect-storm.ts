import { cpuSeconds, processTree } from '../../../loadtest/core/proc.ts';
import { SECRET } from '../../support/tokens.ts';
import { NAMESPACE, topicsOf } from '../fault-run.ts';
import { ReadCounter } from '../read-counter.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const ALL_BACK_MAX_MS = 5000;
const READS_A_TOPIC_MAX = 2;

export const reconnectStorm: Scenario = {
  number: 9,
  title: '10,000 clients with tokens reconnect and resume after kill -9 and restart of their node',
  pass: 'all back and caught up ≤ 5 s after the node is back; ≤ 2 log reads a topic',
  // A score a second on each topic: at ten the deliveries alone are a core's work.
  size: { clients: 10_000, ratePerSecond: 20, topics: 20, quick: false },
  timeoutMs: 180_000,
  async execute(run, size) {
    const nats = await run.nats();
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    const node = await run.node(urls, { settings: { workers: 2 } });
    const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const swarm = await run.swarm({ clients: size.clients, topics, tokenSecret: SECRET });
    feed.start();
    await seconds(3);
    const reads = await ReadCounter.start(nats.url, NAMESPACE);
    run.onEnd(() => reads.stop());

    await run.calm(swarm);
    await node.kill9();
    await node.start();
    const before = cpuSecondsOf(node.pid, swarm.pid);
    const { behind, atMs } = await swarm.reach({ offsets: await feed.nextOnEachTopic(), timeoutMs: 60_000 });
    const after = cpuSecondsOf(node.pid, swarm.pid);
    // What the storm costs, however many others share the two cores.
    run.figure('stormNodeCpuMs', (after.node - before.node) * 1000);
    run.figure('stormSwarmCpuMs', (after.swarm - before.swarm) * 1000);
    run.expect(behind === 0, `${behind} clients are not back after 60 s`);
    run.limitMs('allBackMs', atMs - node.startedAtMs, ALL_BACK_MAX_MS);
    const { resumeMs, refusals } = await swarm.stats();
    run.figure('resumeP50Ms', resumeMs.p50);
    run.figure('resumeP99Ms', resumeMs.p99);
    run.figure('resumeMaxMs', resumeMs.max);
    const refused = Object.entries(refusals).filter(([why]) => !why.includes('ECONNREFUSED'));
    if (refused.length > 0) run.note(`refused on the way: ${JSON.stringify(Object.fromEntries(refused))}`);
    // As the node counts them; and the requests that the server heard, of which a read is one (where does the topic end?) or two (what is there?).
    run.limit('logReadsATopic', (await node.metric('stentor_log_reads_total')) / topics.length, READS_A_TOPIC_MAX);
    run.limit('logRequestsOfATopicMax', Math.max(0, ...topics.map((topic) => reads.of(topic))), 2 * READS_A_TOPIC_MAX);
    await seconds(2);
    await run.judge({ urls, swarm, size, feed });
  },
};

function cpuSecondsOf(nodePid: number, swarmPid: number): { readonly node: number; readonly swarm: number } {
  return { node: cpuSeconds(processTree([nodePid])), swarm: cpuSeconds([swarmPid]) };
}
