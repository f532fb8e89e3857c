import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeFigures } from '../../../src/hub/report-types.ts';
import type { SeriesPoint } from '../../../src/hub/series/fields.ts';
import { p99Between, pointBetween } from '../../../src/hub/series/point.ts';
import { Series } from '../../../src/hub/series/series.ts';
import { PUBLISH_TO_SOCKET_BOUNDS_MS } from '../../../src/telemetry/publish-to-socket-bounds.ts';

const POINT: SeriesPoint = {
  connections: 1,
  deliveriesPerSecond: 2,
  publicationsPerSecond: 3,
  publishToSocketP99Ms: null,
  lagging: 4,
  errorsPerSecond: 5,
  memoryBytes: 6,
  cpuCores: 0.5,
  loopLagMs: 7,
};

describe('a series', () => {
  it('keeps the last points, oldest first, and never more than its bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 60 }), (pointsMax, count) => {
        const series = new Series(pointsMax);
        for (let n = 0; n < count; n++) series.add(n, { ...POINT, connections: n * 10 });
        const { atMs, connections, publishToSocketP99Ms } = series.columns();
        const expected = Array.from({ length: Math.min(count, pointsMax) }, (_, at) => Math.max(0, count - pointsMax) + at);
        expect([atMs, connections]).toEqual([expected, expected.map((n) => n * 10)]);
        expect(publishToSocketP99Ms.every((value) => value === null)).toBe(true);
      }),
    );
  });
});

describe('the 99th percentile between two readings', () => {
  const none = PUBLISH_TO_SOCKET_BOUNDS_MS.map(() => 0).concat(0);
  /** Counts up to each bound, of values in milliseconds. */
  const counted = (values: readonly number[], before = none) => [
    ...PUBLISH_TO_SOCKET_BOUNDS_MS.map((bound, at) => (before[at] ?? 0) + values.filter((value) => value <= bound).length),
    (before.at(-1) ?? 0) + values.length,
  ];

  it('is in the bucket of that value, and counts nothing from before', () => {
    const before = counted(Array(5000).fill(4000));
    const values = [...Array(980).fill(2), ...Array(20).fill(70)];
    const p99 = p99Between(before, counted(values, before)) as number;
    expect(p99).toBeGreaterThan(50);
    expect(p99).toBeLessThanOrEqual(100);
    expect(p99Between(none, counted(Array(100).fill(0.2)))).toBeLessThanOrEqual(0.5);
    expect(p99Between(none, counted(Array(100).fill(60_000)))).toBe(5000);
  });

  it('is not known where nothing was counted, or a worker began anew', () => {
    expect(p99Between(none, none)).toBeNull();
    expect(p99Between(counted([1, 2, 3]), counted([1]))).toBeNull();
    expect(p99Between([], [])).toBeNull();
  });
});

describe('a point', () => {
  const figures = (pid: number, deliveries: number, cpuMs: number): NodeFigures => ({
    topics: 0,
    workers: [{ index: 0, pid, connections: 7, connectionsMax: 10, subscriptions: 0, lagging: 2 }],
    workersSilent: 0,
    lagging: [],
    totals: { publicationsIn: 10, deliveries, sentBytes: 0, messagesIn: 0 },
    errors: { sent: [{ code: 'busy', count: deliveries / 10 }], closed: [{ code: '1001', count: deliveries }], refused: [], skipped: [] },
    processes: { memoryBytes: 1000, cpuMs, loopLagMs: 3 },
    publishToSocket: [],
  });

  it('has rates since the last sample, and what is so now', () => {
    const before = { atMs: 1000, figures: figures(1, 0, 500) };
    expect(pointBetween(before, { atMs: 11_000, figures: figures(1, 5000, 5500) })).toEqual({
      connections: 7,
      lagging: 2,
      deliveriesPerSecond: 500,
      publicationsPerSecond: 0,
      // What clients close is none.
      errorsPerSecond: 50,
      publishToSocketP99Ms: null,
      memoryBytes: 1000,
      cpuCores: 0.5,
      loopLagMs: 3,
    });
  });

  it('has no rates at first, and when a worker was started anew', () => {
    const now = { atMs: 2000, figures: figures(2, 100, 10) };
    expect(pointBetween(undefined, now)).toMatchObject({ connections: 7, deliveriesPerSecond: null, cpuCores: null });
    expect(pointBetween({ atMs: 1000, figures: figures(1, 50, 5) }, now)).toMatchObject({
      deliveriesPerSecond: null,
      errorsPerSecond: null,
    });
  });
});
