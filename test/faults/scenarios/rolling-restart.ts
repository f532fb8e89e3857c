import type { Scenario } from '../scenario.ts';
import { allLive, startThreeNodes } from '../three-nodes.ts';
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
  async execute(run, size) {
    const cluster = await startThreeNodes(run, size, { node: { settings: { 'hub.drainConnectionsPerSecond': CLOSES_PER_SECOND } } });
    for (const node of cluster.nodes) {
      await cluster.swarm.resetStats();
      const { code, elapsedMs } = await node.stop();
      run.say(`${node.name} has stopped`);
      run.expect(code === 0, `${node.name} ended with exit code ${code}`);
      run.limitMs('exitMs', elapsedMs, EXIT_MAX_MS);
      await node.start();
      await node.untilReady();
      await seconds(1);
      await allLive(run, cluster);
      const { endsPerSecondMax, closeCodes, resumeMs } = await cluster.swarm.stats();
      // As clients see it, who may be given the CPU in gulps.
      run.limit('closesPerSecondMax', endsPerSecondMax, 2 * CLOSES_PER_SECOND);
      run.expect(
        Object.keys(closeCodes).every((closeCode) => closeCode === '4200'),
        `closed with ${JSON.stringify(closeCodes)}`,
      );
      run.figure('resumeP99Ms', resumeMs.p99);
    }
    await seconds(2);
    await run.judge(cluster);
  },
};
