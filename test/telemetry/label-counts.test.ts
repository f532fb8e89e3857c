import { Counter, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { LabelCounts } from '../../src/telemetry/label-counts.ts';
import { sumBy } from '../../src/telemetry/sum-by.ts';

describe('counts by a label', () => {
  const setUp = () => {
    const registry = new Registry();
    const counts = new LabelCounts('type');
    const counter: Counter<'type'> = new Counter({
      name: 'said_total',
      help: 'What was said.',
      labelNames: ['type'],
      registers: [registry],
      collect: () => counts.moveTo(counter),
    });
    return { registry, counts, counter };
  };

  it('are in the counter whenever it is read, once', async () => {
    const { registry, counts, counter } = setUp();
    counts.inc('ping');
    counts.inc('ping');
    counts.inc('subscribe');
    expect(await sumBy(counter, 'type')).toEqual({ ping: 2, subscribe: 1 });
    expect(await registry.metrics()).toContain('said_total{type="ping"} 2');
    counts.inc('ping');
    expect(await registry.metrics()).toContain('said_total{type="ping"} 3');
    expect(await sumBy(counter)).toEqual({ '': 4 });
  });

  it('are nothing until something is counted', async () => {
    const { registry, counter } = setUp();
    expect(await sumBy(counter)).toEqual({});
    expect(await registry.metrics()).not.toContain('said_total{');
  });
});
