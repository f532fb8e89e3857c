import { describe, expect, it } from 'vitest';
import { Inbox, textOf } from '../support/publications.ts';
import { until } from '../support/until.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describeBounds(fixture: BusFixture): void {
  describe('keeping within bounds', () => {
    it('keeps a limited number of publications of a topic, the newest', async () => {
      await fixture.start({ maxCount: 10 });
      await fixture.publish(topicOf(fixture.plain, 'b'), 'other');
      await fixture.publishMany(topicOf(fixture.plain, 'a'), 25);
      const log = fixture.bus.log(fixture.plain);
      const { publications } = await log.read(topicOf(fixture.plain, 'a'), { after: 0, limit: 100 });
      expect(publications.map(textOf)).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 15)));
      expect((await log.read(topicOf(fixture.plain, 'b'), { after: 0, limit: 100 })).publications).toHaveLength(1);
    });

    it('keeps a limited number of publications of a key', async () => {
      await fixture.start({ maxCount: 2 });
      const to = topicOf(fixture.keyed, 'a');
      for (let i = 0; i < 5; i++) for (const key of ['k1', 'k2']) await fixture.publishKey(to, key, `${key}-${i}`);
      const { publications } = await fixture.bus.log(fixture.keyed).read(to, { after: 0, limit: 100 });
      expect(publications.map(textOf)).toEqual(['k1-3', 'k2-3', 'k1-4', 'k2-4']);
    });

    it('keeps publications for a limited time', async () => {
      await fixture.start({ maxAgeMs: 1000 });
      await fixture.publishMany(topicOf(fixture.plain, 'a'), 5);
      await fixture.passTime(2500);
      const log = fixture.bus.log(fixture.plain);
      const { lastOffset } = await log.state();
      // A busy broker removes them a little later.
      await until('them to be removed', async () => (await log.state()).firstOffset === lastOffset + 1);
      expect(await log.lastOffset(topicOf(fixture.plain, 'a'))).toBe(0);
      expect(await log.read(topicOf(fixture.plain, 'a'), { after: 2, limit: 10 })).toEqual({
        publications: [],
        anchored: false,
        more: false,
      });
      const { offset } = await fixture.publish(topicOf(fixture.plain, 'a'), 'new');
      expect(offset).toBe(lastOffset + 1);
      const inbox = new Inbox();
      await log.follow(lastOffset, inbox.receive, inbox.fail);
      await inbox.count(1);
      expect(inbox.texts).toEqual(['new']);
    });

    it('keeps a limited number of bytes of a namespace, the newest', async () => {
      await fixture.start({ maxBytes: 65_536 });
      const text = 'x'.repeat(2000);
      for (let i = 0; i < 100; i++) await fixture.publish(topicOf(fixture.plain, `t${i % 7}`), `${i}${text}`);
      const { firstOffset, lastOffset } = await fixture.bus.log(fixture.plain).state();
      const kept = lastOffset - firstOffset + 1;
      expect(kept).toBeLessThanOrEqual(32);
      expect(kept).toBeGreaterThan(20);
      const { publications, anchored } = await fixture.bus.log(fixture.plain).read(topicOf(fixture.plain, 't1'), { after: 0, limit: 100 });
      expect(publications.length).toBeGreaterThan(1);
      expect(anchored).toBe(false);
    });
  });
}
