import { describe, expect, it } from 'vitest';
import { pairwiseRatios, spread } from '../../loadtest/core/stats.ts';
import { comparedWith } from '../../loadtest/measure/beside-itself.ts';
import { describeBusyBaseline } from '../../loadtest/measure/busy-baseline.ts';
import { emptyRun } from '../../loadtest/measure/empty-run.ts';
import { summarize } from '../../loadtest/measure/summary.ts';
import type { GroupResult, RunResult } from '../../loadtest/measure/types.ts';
import { printVerdict } from '../../loadtest/report/table.ts';
import type { Target } from '../../loadtest/scenarios/scenario.ts';

const run = (server: string, pair: number, cpuPerDeliveryUs: number, invalid = ''): RunResult => {
  return { ...emptyRun(server, pair, {}, invalid), deliveries: 1000, cpuPerDeliveryUs };
};
const group = (p50Ms: number, p99Ms: number, ratePerSecond = 1000): GroupResult => {
  const latency = { p50Ms, p90Ms: p50Ms, p99Ms, p999Ms: p99Ms, maxMs: p99Ms, curve: [] };
  return { name: 'watch', members: 10, ratePerSecond, published: 100, delivered: 1000, frames: 100, latency };
};
const target = (over: Partial<Target> = {}): Target => {
  return { number: '1', server: 'stentor', metric: 'cpuPerDeliveryUs', against: ['uws'], bound: { atMost: 0.5 }, text: 'half', ...over };
};

describe('spread', () => {
  it('is the middle of an odd count and the mean of the two middle ones of an even count', () => {
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

  it('can compare a difference or the value itself with a limit', () => {
    const targets = [
      target({ by: 'difference', bound: { atMost: -2 } }),
      target({ against: [], bound: { atLeast: 1 } }),
      target({ against: [], bound: { atLeast: 2 } }),
    ];
    const { verdicts } = summarize({ baseline: 'uws', targets }, runs);
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['met', 'met', 'missed']);
  });
});

describe('a verdict about CPU', () => {
  it('names the latencies that were paid for it, of both sides', () => {
    const runs = [
      { ...run('stentor', 0, 1), groups: [group(10, 100)] },
      { ...run('uws', 0, 4), groups: [group(20, 200)] },
      { ...run('stentor', 1, 1), groups: [group(30, 300)] },
      { ...run('uws', 1, 4), groups: [group(40, 400)] },
    ];
    const [cpu, p99] = summarize({ baseline: 'uws', targets: [target(), target({ metric: 'p99Ms.watch' })] }, runs).verdicts;
    expect(printVerdict(cpu!)).toBe('target 1 MET — half: 0.25 (0.25–0.25) (stentor p50 20, p99 200 ms; uws p50 30, p99 300 ms)');
    expect(p99?.beside).toBeUndefined();
  });
});

describe('bare uWS with more than 60% of a core', () => {
  const scenario = (share: number, over: { targets?: Target[]; invalid?: string } = {}) => {
    const baseline = { ...run('uws', 0, 4, over.invalid), groups: [group(1, 2)], serverCpuShare: share };
    return { name: 'watchlist', baseline: 'uws', targets: over.targets ?? [target()], runs: [run('stentor', 0, 1), baseline] };
  };

  it('is reported, with the command that repeats the pairs at a lower rate', () => {
    expect(describeBusyBaseline(scenario(0.83))).toBe(
      'uws used 83% of a core: repeat with -s watchlist --rate 250, or --repeat-busy, and quote both',
    );
  });

  it('is nothing to tell of below that, in a run that does not count, and where no target is about its cost', () => {
    expect(describeBusyBaseline(scenario(0.6))).toBe('');
    expect(describeBusyBaseline(scenario(0.83, { invalid: 'all: 5 behind' }))).toBe('');
    expect(describeBusyBaseline(scenario(0.83, { targets: [target({ metric: 'growth' })] }))).toBe('');
    expect(describeBusyBaseline({ ...scenario(0.83), baseline: 'ws' })).toBe('');
  });
});

describe('a run compared with one of the same server', () => {
  const own = { ...run('stentor', 0, 3), groups: [group(4, 30)], extra: { lagging: 5 } };
  const w1 = { ...run('stentor', 0, 2), groups: [group(2, 10)] };

  it('has the figures of both, and their ratios', () => {
    const { extra, invalid } = comparedWith(own, { name: 'W1', run: w1 });
    expect(invalid).toBe('');
    expect(extra).toEqual({
      lagging: 5,
      'cpuPerDeliveryUs.W1': 2,
      'cpuPerDeliveryUs.overW1': 1.5,
      'p50Ms.watch.W1': 2,
      'p50Ms.watch.overW1': 2,
      'p99Ms.watch.W1': 10,
      'p99Ms.watch.overW1': 3,
    });
  });

  it('counts only if both do', () => {
    expect(comparedWith(own, { name: 'W1', run: { ...w1, invalid: 'watch: 3 behind' } }).invalid).toBe('W1: watch: 3 behind');
    expect(comparedWith({ ...own, invalid: 'watch: 1 behind' }, { name: 'W1', run: w1 }).invalid).toBe('watch: 1 behind');
  });
});
