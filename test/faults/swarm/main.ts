import { serveCalls } from '../../../loadtest/core/rpc.ts';
import { seedMathRandom } from '../../support/seed.ts';
import type { CheckRequest, SilenceRequest, SwarmSettings, Target } from './settings.ts';
import { Swarm } from './swarm.ts';

let swarm: Swarm | undefined;

function running(): Swarm {
  if (swarm === undefined) throw new Error('connect first');
  return swarm;
}

serveCalls(
  {
    async connect(settings: SwarmSettings) {
      seedMathRandom(settings.seed);
      swarm = new Swarm(settings);
      await swarm.connect();
    },
    leave: () => running().leave(),
    comeBack: () => running().comeBack(),
    reach: (target: Target) => running().reach(target),
    check: (request: CheckRequest) => running().check(request),
    stats: () => running().stats(),
    resetStats: () => running().resetStats(),
    watchSilence: () => running().watchSilence(),
    silence: ({ exceptWorkers }: SilenceRequest) => running().silence(exceptWorkers),
  },
  () => swarm?.destroy(),
);
