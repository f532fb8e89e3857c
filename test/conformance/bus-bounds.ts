import { describe, expect, it } from 'vitest';
import { Inbox, textOf } from '../support/publications.ts';
import { type BusStage, topicOf } from './bus-stage.ts';

export function describeBounds(stage: BusStage): void {
  describe('keeping within bounds', () => {
    it('keeps so many publications of a topic, the newest', async () => {
      await stage.start({ maxCount: 10 });
      await stage.publish(topicOf(stage.plain, 'b'), 'other');
      await stage.publishMany(topicOf(stage.plain, 'a'), 25);
      const log = stage.bus.log(stage.plain);
      const { publications } = await log.read(topicOf(stage.plain, 'a'), { after: 0, limit: 100 });
      expect(publications.map(textOf)).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 15)));
      expect((await log.read(topicOf(stage.plain, 'b'), { after: 0, limit: 100 })).publications).toHaveLength(1);
    });

    it('keeps so many publications of a key', async () => {
      await stage.start({ maxCount: 2 });
      const to = topicOf(stage.keyed, 'a');
      for (let i = 0; i < 5; i++) for (const key of ['k1', 'k2']) await stage.publishKey(to, key, `${key}-${i}`);
      const { publications } = await stage.bus.log(stage.keyed).read(to, { after: 0, limit: 100 });
      expect(publications.map(textOf)).toEqual(['k1-3', 'k2-3', 'k1-4', 'k2-4']);
    });

    it('keeps publications so long', async () => {
      await stage.start({ maxAgeMs: 1000 });
      await stage.publishMany(topicOf(stage.plain, 'a'), 5);
      await stage.passTime(2500);
      const log = stage.bus.log(stage.plain);
      const { firstOffset, lastOffset } = await log.state();
      expect(firstOffset).toBe(lastOffset + 1);
      expect(await log.lastOffset(topicOf(stage.plain, 'a'))).toBe(0);
      expect(await log.read(topicOf(stage.plain, 'a'), { after: 2, limit: 10 })).toEqual({
        publications: [],
        anchored: false,
        more: false,
      });
      const { offset } = await stage.publish(topicOf(stage.plain, 'a'), 'new');
      expect(offset).toBe(lastOffset + 1);
      const inbox = new Inbox();
      await log.follow(lastOffset, inbox.receive, inbox.fail);
      await inbox.count(1);
      expect(inbox.texts).toEqual(['new']);
    });

    it('keeps so many bytes of a namespace, the newest', async () => {
      await stage.start({ maxBytes: 65_536 });
      const text = 'x'.repeat(2000);
      for (let i = 0; i < 100; i++) await stage.publish(topicOf(stage.plain, `t${i % 7}`), `${i}${text}`);
      const { firstOffset, lastOffset } = await stage.bus.log(stage.plain).state();
      const kept = lastOffset - firstOffset + 1;
      expect(kept).toBeLessThanOrEqual(32);
      expect(kept).toBeGreaterThan(20);
      const { publications, anchored } = await stage.bus.log(stage.plain).read(topicOf(stage.plain, 't1'), { after: 0, limit: 100 });
      expect(publications.length).toBeGreaterThan(1);
      expect(anchored).toBe(false);
    });
  });
}
