import { describe, expect, it } from 'vitest';
import { nodeFigures, summaryOf } from '../../src/hub/figures.ts';
import type { WorkerReport } from '../../src/link/reports.ts';

function report(index: number, changes: Partial<WorkerReport> = {}): WorkerReport {
  return {
    index,
    pid: 100 + index,
    connections: 2,
    connectionsMax: 10,
    subscriptions: 3,
    lagging: 0,
    longestLagging: [],
    topics: [],
    totals: { deliveries: 5, sentBytes: 7, messagesIn: 11, errors: {}, closed: {}, refused: {}, publishToSocket: [1, 2, 3] },
    process: { pid: 100 + index, memoryBytes: 1000, cpuMs: 10, loopLagMs: index },
    ...changes,
  };
}

const HUB = { pid: 99, memoryBytes: 500, cpuMs: 5, loopLagMs: 0.5 };
const lagging = (connectionId: string, laggingMs: number) => ({ connectionId, user: null, laggingMs, bufferedBytes: 1, topics: 1 });

describe('nodeFigures', () => {
  it('sums the workers, and returns counts by code, the most frequent first', () => {
    const totals = { deliveries: 1, sentBytes: 1, messagesIn: 1, closed: {}, refused: {}, publishToSocket: [0, 5, 5] };
    const reports = [
      report(0, { totals: { ...totals, errors: { forbidden: 1, bad_topic: 2 } } }),
      report(1, { totals: { ...totals, errors: { forbidden: 4 } } }),
    ];
    const figures = nodeFigures(
      { reports, silent: 3 },
      { topics: 9, publicationsIn: 100, skipped: { malformed: 2, too_big: 2 }, process: HUB },
    );
    expect([figures.topics, figures.workersSilent]).toEqual([9, 3]);
    expect(figures.totals).toEqual({ publicationsIn: 100, deliveries: 2, sentBytes: 2, messagesIn: 2 });
    expect(figures.errors.sent).toEqual([
      { code: 'forbidden', count: 5 },
      { code: 'bad_topic', count: 2 },
    ]);
    expect(figures.publishToSocket).toEqual([0, 10, 10]);
    expect(figures.processes).toEqual({ memoryBytes: 2500, cpuMs: 25, loopLagMs: 1 });
    expect(figures.errors.skipped.map(({ code }) => code)).toEqual(['malformed', 'too_big']);
    expect(figures.workers[1]).toEqual({ index: 1, pid: 101, connections: 2, connectionsMax: 10, subscriptions: 3, lagging: 0 });
  });

  it('names lagging connections of all workers, longest first', () => {
    const reports = [
      report(0, { longestLagging: [lagging('a', 900), lagging('b', 100)] }),
      report(1, { longestLagging: [lagging('c', 500)] }),
    ];
    const { lagging: all } = nodeFigures({ reports, silent: 0 }, { topics: 0, publicationsIn: 0, skipped: {}, process: HUB });
    expect(all.map(({ worker, connectionId }) => `${worker}${connectionId}`)).toEqual(['0a', '1c', '0b']);
  });

  it('counts one process once: hub and worker are the same with workers: 0', () => {
    const { processes } = nodeFigures(
      { reports: [report(0)], silent: 0 },
      { topics: 0, publicationsIn: 0, skipped: {}, process: { ...HUB, pid: 100 } },
    );
    expect(processes).toMatchObject({ memoryBytes: 1000, cpuMs: 10 });
  });
});

describe('summaryOf', () => {
  it('sums what the workers have answered, and counts them', () => {
    const worker = { connections: 2, connectionsMax: 10, subscriptions: 3, lagging: 1, deliveries: 5 };
    expect(summaryOf([worker, { ...worker, deliveries: 7 }])).toEqual({
      workers: 2,
      connections: 4,
      connectionsMax: 20,
      subscriptions: 6,
      lagging: 2,
      deliveries: 12,
    });
    expect(summaryOf([])).toEqual({ workers: 0, connections: 0, connectionsMax: 0, subscriptions: 0, lagging: 0, deliveries: 0 });
  });
});
