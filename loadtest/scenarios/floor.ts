import type { RunResult } from '../measure/types.ts';
import { feedScenario, ratioTarget } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const FLOOR = 'floor';
/** In the first seconds most of the hub's time is V8's own, not compiled code's: 0.215 µs a delivery after 2 s, 0.195 after 12 s. */
const WARMUP_MS = 12_000;

/**
 * Stentor beside the floor at the same sends a delivery: the floor is told to join as many publications in a send as the server before it
 * joined in a frame, in the same pair. A member of one topic gets each frame in a send of its own, which --count-sends shows.
 */
function floorScenario({
  rate,
  seconds,
  atMost,
  describes,
}: {
  rate: number;
  seconds: number;
  atMost: number;
  describes: string;
}): Scenario {
  const shown = rate.toLocaleString('en-US');
  const feed = feedScenario({
    name: `floor-${rate}`,
    title: `The floor, ${shown} msg/s to 2,000`,
    describes,
    servers: ['stentor', FLOOR],
    baseline: FLOOR,
    members: 2000,
    rate,
    seconds,
    warmupMs: WARMUP_MS,
    targets: [
      ratioTarget('F1', 'cpuPerDeliveryUs', atMost, `CPU per delivery at ${shown} msg/s ≤ ${atMost} × the floor`, ['stentor', FLOOR]),
    ],
  });
  /** By pair. */
  const itemsPerFrame = new Map<number, number>();
  return {
    ...feed,
    async run(server, pair, overrides) {
      if (server.name !== FLOOR) {
        const run = withItemsPerFrame(await feed.run(server, pair, overrides));
        if (run.invalid === '') itemsPerFrame.set(pair, run.extra.itemsPerFrame);
        return run;
      }
      const itemsPerSend = overrides.itemsPerSend ?? itemsPerFrame.get(pair);
      if (itemsPerSend === undefined) throw new Error('no valid run before it in this pair, and no --items-per-send');
      return withItemsPerFrame(await feed.run(server, pair, { ...overrides, itemsPerSend }));
    },
  };
}

function withItemsPerFrame(run: RunResult): RunResult & { extra: { itemsPerFrame: number } } {
  const frames = run.groups.reduce((sum, group) => sum + group.frames, 0);
  return { ...run, extra: { itemsPerFrame: run.deliveries / Math.max(1, frames) } };
}

export const FLOOR_SCENARIOS: readonly Scenario[] = [
  floorScenario({
    rate: 20,
    seconds: 10,
    atMost: 1.2,
    describes: 'One publication a send: what a C program pays for the same send() calls.',
  }),
  floorScenario({
    rate: 1000,
    seconds: 8,
    atMost: 1.5,
    describes: 'As many publications a send as Stentor joins in the same pair, by a C program that does nothing else.',
  }),
];
