import { afterEach, describe } from 'vitest';
import { describeAnnouncing } from './bus-announcing.ts';
import { describeBounds } from './bus-bounds.ts';
import { describeEphemeral } from './bus-ephemeral.ts';
import { BusFixture, type BusHarness } from './bus-fixture.ts';
import { describeFollowing } from './bus-following.ts';
import { describeImages } from './bus-images.ts';
import { describePublishing } from './bus-publishing.ts';
import { describeReading } from './bus-reading.ts';
import { describeRequests } from './bus-requests.ts';
import { describeRevocations } from './bus-revocations.ts';
import { describeStopping } from './bus-stopping.ts';

/** Tests the promises of `src/bus/bus.ts` on any implementation. */
export function describeBus(name: string, harness: BusHarness): void {
  describe(`${name} keeps the bus contract:`, () => {
    const fixture = new BusFixture(harness);
    afterEach(() => fixture.stop());

    describePublishing(fixture);
    describeFollowing(fixture);
    describeReading(fixture);
    describeBounds(fixture);
    describeImages(fixture);
    describeEphemeral(fixture);
    describeAnnouncing(fixture);
    describeRequests(fixture);
    describeRevocations(fixture);
    describeStopping(fixture);
  });
}
