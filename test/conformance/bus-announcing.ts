import { describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import type { BusFixture } from './bus-fixture.ts';

export function describeAnnouncing(fixture: BusFixture): void {
  describe('announcements', () => {
    it('reach whoever listens, this node too, until it stops', async () => {
      await fixture.start();
      const heard: [string[], string[]] = [[], []];
      const stops = heard.map((texts) => fixture.bus.onAnnouncement((data) => void texts.push(Buffer.from(data).toString())));
      fixture.bus.announce(Buffer.from('1'));
      await until('both to hear it', () => heard.every((texts) => texts.length === 1));
      stops[0]?.();
      stops[0]?.();
      fixture.bus.announce(Buffer.from('2'));
      await until('the other to hear it', () => heard[1].length === 2);
      expect(heard).toEqual([['1'], ['1', '2']]);
    });

    it('go nowhere after the end, and nobody minds', async () => {
      await fixture.start();
      const { bus } = fixture;
      await bus.stop();
      expect(() => bus.announce(Buffer.from('1'))).not.toThrow();
    });
  });
}
