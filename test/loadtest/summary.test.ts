import { describe, expect, it } from 'vitest';
import { pairwiseRatios, spread } from '../../loadtest/core/stats.ts';
import { emptyRun } from '../../loadtest/measure/empty-run.ts';
import { summarize } from '../../loadtest/measure/summary.ts';
import type { RunResult } from '../../loadtest/measure/types.ts';
import type { Target } from '../../loadtest/scenarios/scenario.ts';

const run = (server: string, pair: number, cpuPerDeliveryUs: number, invalid = ''): RunResult => {
  return { ...emptyRun(server, pair, {}, invalid), deliveries: 1000, cpuPerDeliveryUs };
};
const target = (over: Partial<Target> = {}): Target => {
  return { number: '1', server: 'stentor', metric: 'cpuPerDeliveryUs', against: ['uws'], bound: { atMost: 0.5 }, text: 'half', ...over };
};

describe('spread', () => {
  it('takes the middle of an odd count and the mean of the two middles of an even one', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, count: 3 });
    expect(spread([4, 1, 2, 3]).median).toBe(2.5);
  });

  it('refuses to make a figure of nothing', () => {
    expect(() => spread([])).toThrow(RangeError);
  });
});

describe('pairwise ratios', () => {
  it('compare runs of the same pair only', () => {
    const own = new Map([
      [0, 2],
      [1, 3],
      [2, 9],
    ]);
    const base = new Map([
      [0, 4],
      [1, 3],
    ]);
    expect(pairwiseRatios(own, base)).toEqual([0.5, 1]);
  });
});

describe('a summary', () => {
  const runs = [
    run('stentor', 0, 1),
    run('uws', 0, 4),
    run('stentor', 1, 2),
    run('uws', 1, 4),
    run('stentor', 2, 100, 'all: 5 behind'),
    run('uws', 2, 4),
  ];

  it('counts no run that did not deliver everything', () => {
    const [stentor] = summarize({ baseline: 'uws', targets: [] }, runs).servers;
    expect(stentor).toMatchObject({ validRuns: 2, invalidRuns: 1 });
    expect(stentor?.values.cpuPerDeliveryUs).toMatchObject({ median: 1.5, max: 2 });
    expect(stentor?.ratios.cpuPerDeliveryUs).toMatchObject({ median: 0.375, min: 0.25, max: 0.5 });
  });

  it('says of each target whether it is met, missed, or not measured', () => {
    const targets = [target(), target({ bound: { atMost: 0.3 } }), target({ metric: 'p99Ms.probe' }), target({ server: 'nobody' })];
    const { verdicts } = summarize({ baseline: 'uws', targets }, runs);
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['met', 'missed', 'not measured', 'not measured']);
  });

  it('judges against the best of several peers, pair by pair', () => {
    const peers = [
      run('ws', 0, 10),
      run('socketio', 0, 20),
      run('stentor', 0, 1),
      run('ws', 1, 20),
      run('socketio', 1, 10),
      run('stentor', 1, 1),
    ];
    const targets = [target({ against: ['ws', 'socketio'], bound: { atMost: 0.1 } })];
    expect(summarize({ baseline: 'ws', targets }, peers).verdicts[0]).toMatchObject({ outcome: 'met', measured: { min: 0.1, max: 0.1 } });
  });

  it('can hold a difference or the figure itself against a bound', () => {
    const targets = [
      target({ by: 'difference', bound: { atMost: -2 } }),
      target({ against: [], bound: { atLeast: 1 } }),
      target({ against: [], bound: { atLeast: 2 } }),
    ];
    const { verdicts } = summarize({ baseline: 'uws', targets }, runs);
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['met', 'met', 'missed']);
  });
});
