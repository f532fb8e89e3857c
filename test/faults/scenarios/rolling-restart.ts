import { allLive, threeNodeRig } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const EXIT_MAX_MS = 30_000;
/** Of a node with one worker. */
const CLOSES_PER_SECOND = 500;

export const rollingRestart: Scenario = {
  number: 10,
  title: 'rolling restart of 3 nodes (SIGTERM) under load',
  pass: '0 lost or duplicate, paced close, exit < 30 s',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 300_000,
  async run(stage, size) {
    const rig = await threeNodeRig(stage, size, { node: { settings: { 'hub.drainConnectionsPerSecond': CLOSES_PER_SECOND } } });
    for (const node of rig.nodes) {
      await rig.swarm.resetStats();
      const { code, elapsedMs } = await node.stop();
      stage.say(`${node.name} has stopped`);
      stage.expect(code === 0, `${node.name} ended with exit code ${code}`);
      stage.limitMs('exitMs', elapsedMs, EXIT_MAX_MS);
      await node.start();
      await node.untilReady();
      await seconds(1);
      await allLive(stage, rig);
      const { endsPerSecondMax, closeCodes, resumeMs } = await rig.swarm.stats();
      // As clients see it, who may be given the CPU in gulps.
      stage.limit('closesPerSecondMax', endsPerSecondMax, 2 * CLOSES_PER_SECOND);
      stage.expect(
        Object.keys(closeCodes).every((closeCode) => closeCode === '4200'),
        `closed with ${JSON.stringify(closeCodes)}`,
      );
      stage.figure('resumeP99Ms', resumeMs.p99);
    }
    await seconds(2);
    await stage.judge(rig);
  },
};
