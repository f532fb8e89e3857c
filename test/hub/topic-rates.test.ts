import { describe, expect, it } from 'vitest';
import { type Metered, TopicRates } from '../../src/hub/topic-rates.ts';

const topic = (): Metered => ({ published: 0, publishedSampled: 0, publishedPerSecond: 0 });

describe('TopicRates', () => {
  it('counts publications between two samples, also of a topic that was opened in between', () => {
    const [old, young] = [topic(), topic()];
    const topics = [old];
    const rates = new TopicRates(() => topics);
    old.published = 500;
    rates.sample(10_000);
    expect(old.publishedPerSecond).toBe(0);
    topics.push(young);
    old.published += 40;
    young.published += 10;
    rates.sample(12_000);
    expect([old.publishedPerSecond, young.publishedPerSecond]).toEqual([20, 5]);
    rates.sample(14_000);
    expect([old.publishedPerSecond, young.publishedPerSecond]).toEqual([0, 0]);
  });

  it('measures for a second if there is no recent sample, once for all callers, without the hours before', async () => {
    const busy = topic();
    busy.published = 1_000_000;
    const rates = new TopicRates(() => [busy]);
    const first = rates.refresh();
    expect(rates.refresh()).toBe(first);
    busy.published += 30;
    await first;
    expect(busy.publishedPerSecond).toBeGreaterThan(0);
    expect(busy.publishedPerSecond).toBeLessThanOrEqual(30.1);
  });
});
