import { isAlive } from '../../support/is-alive.ts';
import { until } from '../../support/until.ts';
import type { Scenario } from '../scenario.ts';
import { allLive, startThreeNodes } from '../three-nodes.ts';
import { seconds } from '../time.ts';

const RESUME_P99_MAX_MS = 5000;
/** The workers of a hub that is gone say goodbye at 1,000 a second, and ask to come back within 5 s. */
const HUB_ONLY_RESUME_P99_MAX_MS = 8000;

export const nodeKilled: Scenario = {
  number: 1,
  title: 'kill -9 one of 3 nodes; then the hub process alone of another',
  pass: '0 lost, 0 duplicate, 0 reordered; p99 resume < 5 s, and < 8 s when only the hub process dies (hubOnlyResumeP99Ms)',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 180_000,
  async execute(run, size) {
    const cluster = await startThreeNodes(run, size);
    const [first, second] = cluster.nodes;
    await first.kill9();
    run.say('a node is killed');
    await seconds(2);
    await allLive(run, cluster);
    const killed = await cluster.swarm.stats();
    run.expect(killed.resumeMs.count > 0, 'no client had to resume');
    run.limitMs('resumeP99Ms', killed.resumeMs.p99, RESUME_P99_MAX_MS);
    await first.start();
    await cluster.swarm.resetStats();

    const workers = second.workerPids;
    await second.killHub9();
    run.say('a hub is killed');
    await seconds(2);
    await allLive(run, cluster);
    const hubKilled = await cluster.swarm.stats();
    run.limitMs('hubOnlyResumeP99Ms', hubKilled.resumeMs.p99, HUB_ONLY_RESUME_P99_MAX_MS);
    await until('the workers without a hub to end', () => workers.every((pid) => !isAlive(pid)));
    await second.start();
    await seconds(2);
    await run.judge(cluster);
  },
};
