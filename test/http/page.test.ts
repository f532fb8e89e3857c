import { describe, expect, it } from 'vitest';
import type { NodeAnswer } from '../../src/http/api/schemas/nodes.ts';
import { errorLines, ratesBetween } from '../../src/http/page/rates.ts';
import type { NodeErrors, NodeTotals } from '../../src/hub/report-types.ts';
import { formatBytes, formatDuration, formatNumber } from '../../src/telemetry/format.ts';

describe('figures on the page', () => {
  it('have thousands separated, and one decimal place below ten', () => {
    expect([0, 0.25, 9.96, 10.4, 1234.5, 20_000_000].map(formatNumber)).toEqual(['0', '0.3', '10', '10', '1,235', '20,000,000']);
  });

  it('have units', () => {
    expect([0, 1023, 1536, 5_000_000_000].map(formatBytes)).toEqual(['0 B', '1,023 B', '1.5 KiB', '4.7 GiB']);
    expect([0, 1250, 12_000, 60_000, 3_725_000, 90_000_000].map(formatDuration)).toEqual([
      '0 s',
      '1.3 s',
      '12 s',
      '1 min 0 s',
      '1 h 2 min',
      '1 d 1 h',
    ]);
  });
});

describe('ratesBetween', () => {
  const look = (atMs: number, totals: Partial<NodeTotals>, workers = 1) => ({
    atMs,
    node: {
      workers: Array.from({ length: workers }),
      totals: { publicationsIn: 0, deliveries: 0, sentBytes: 0, messagesIn: 0, ...totals },
    } as unknown as NodeAnswer,
  });

  it('are the events per second between two samples', () => {
    expect(ratesBetween(look(1000, { deliveries: 100 }), look(3000, { deliveries: 500 }))).toMatchObject({ deliveries: 200, sentBytes: 0 });
  });

  it('are unknown at the first look, and where a worker has started over or does not answer', () => {
    expect(ratesBetween(look(1000, {}, 2), look(3000, { deliveries: 5 }, 1))).toBeUndefined();
    expect(ratesBetween(undefined, look(1000, {}))).toBeUndefined();
    expect(ratesBetween(look(1000, { deliveries: 100 }), look(3000, { deliveries: 5 }))).toBeUndefined();
  });
});

describe('errorLines', () => {
  const errors = (changes: Partial<NodeErrors>): NodeErrors => ({ sent: [], closed: [], refused: [], skipped: [], ...changes });

  it('list errors that happen now before older ones', () => {
    const first = errors({ sent: [{ code: 'forbidden', count: 500 }] });
    const now = errors({ sent: [{ code: 'forbidden', count: 500 }], closed: [{ code: '4103', count: 2 }] });
    expect(errorLines(first, now)).toEqual([
      { kind: 'closed', code: '4103', count: 2, since: 2 },
      { kind: 'sent', code: 'forbidden', count: 500, since: 0 },
    ]);
  });
});
