import { until } from '../../support/until.ts';
import { allLive, threeNodeRig } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
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
  async run(stage, size) {
    const rig = await threeNodeRig(stage, size);
    const [first, second] = rig.nodes;
    await first.kill9();
    stage.say('a node is killed');
    await seconds(2);
    await allLive(stage, rig);
    const killed = await rig.swarm.stats();
    stage.expect(killed.resumeMs.count > 0, 'nobody had to resume');
    stage.limitMs('resumeP99Ms', killed.resumeMs.p99, RESUME_P99_MAX_MS);
    await first.start();
    await rig.swarm.resetStats();

    const workers = second.workerPids;
    await second.killHub9();
    stage.say('a hub is killed');
    await seconds(2);
    await allLive(stage, rig);
    const hubKilled = await rig.swarm.stats();
    stage.limitMs('hubOnlyResumeP99Ms', hubKilled.resumeMs.p99, HUB_ONLY_RESUME_P99_MAX_MS);
    await until('the workers without a hub to end', () => workers.every((pid) => !isAlive(pid)));
    await second.start();
    await seconds(2);
    await stage.judge(rig);
  },
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
