import { afterEach, describe } from 'vitest';
import { describeAnnouncing } from './bus-announcing.ts';
import { describeBounds } from './bus-bounds.ts';
import { describeEphemeral } from './bus-ephemeral.ts';
import { describeFollowing } from './bus-following.ts';
import { describePublishing } from './bus-publishing.ts';
import { describeReading } from './bus-reading.ts';
import { type BusHarness, BusStage } from './bus-stage.ts';
import { describeStopping } from './bus-stopping.ts';

/** The promises of `src/bus/bus.ts`, checked on whatever keeps them. */
export function describeBus(name: string, harness: BusHarness): void {
  describe(`${name} keeps the bus contract:`, () => {
    const stage = new BusStage(harness);
    afterEach(() => stage.stop());

    describePublishing(stage);
    describeFollowing(stage);
    describeReading(stage);
    describeBounds(stage);
    describeEphemeral(stage);
    describeAnnouncing(stage);
    describeStopping(stage);
  });
}
