import { serveCalls } from '../../../loadtest/core/rpc.ts';
import { seedMathRandom } from '../../support/seed.ts';
import { Crowd } from './crowd.ts';
import type { CrowdSettings, DeliveryQuestion, OpenRequest } from './settings.ts';

let crowd: Crowd | undefined;

function running(): Crowd {
  if (crowd === undefined) throw new Error('connect first');
  return crowd;
}

serveCalls(
  {
    async connect(settings: CrowdSettings) {
      seedMathRandom(settings.seed);
      crowd = new Crowd(settings);
      await crowd.connect();
    },
    state: () => running().state(),
    leave: (who: { users: string[] }) => running().leave(who),
    comeBack: (who: { users: string[] }) => running().comeBack(who),
    open: (request: OpenRequest) => running().open(request),
    connectionsOf: (who: { user: string }) => running().connectionsOf(who),
    delivered: (question: DeliveryQuestion) => running().delivered(question),
    callAll: (question: { method: string; timeoutMs: number }) => running().callAll(question),
    setNatsAway: (how: { away: boolean }) => running().setNatsAway(how),
    report: (question: { sent: [number, string][] }) => running().report(question),
  },
  () => crowd?.destroy(),
);
