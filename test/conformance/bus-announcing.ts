import { describe, expect, it } from 'vitest';
import type { Channel, UserChannel } from '../../src/bus/channel.ts';
import { until } from '../support/until.ts';
import type { BusFixture } from './bus-fixture.ts';

export function describeAnnouncing(fixture: BusFixture): void {
  describe('announcements', () => {
    it('reach every listener, including this node, until it stops', async () => {
      await fixture.start();
      const heard: [string[], string[]] = [[], []];
      const stops = heard.map((texts) => fixture.bus.onAnnouncement('nodes', (data) => void texts.push(Buffer.from(data).toString())));
      fixture.bus.announce('nodes', Buffer.from('1'));
      await until('both to hear it', () => heard.every((texts) => texts.length === 1));
      stops[0]?.();
      stops[0]?.();
      fixture.bus.announce('nodes', Buffer.from('2'));
      await until('the other to hear it', () => heard[1].length === 2);
      expect(heard).toEqual([['1'], ['1', '2']]);
    });

    it('do not reach listeners of another channel', async () => {
      await fixture.start();
      const heard: string[] = [];
      const listen = (channel: Channel) =>
        fixture.bus.onAnnouncement(channel, (data) => void heard.push(`${channel}: ${Buffer.from(data)}`));
      const stops = [listen('presence.all'), listen('presence.a')];
      fixture.bus.announce('nodes', Buffer.from('1'));
      fixture.bus.announce('presence.b', Buffer.from('2'));
      fixture.bus.announce('presence.a', Buffer.from('3'));
      fixture.bus.announce('presence.all', Buffer.from('4'));
      await until('the last to come', () => heard.length === 2);
      expect(heard.sort()).toEqual(['presence.a: 3', 'presence.all: 4']);
      for (const stop of stops) stop();
    });

    it('reach each user’s channel alone, however many there are, while listeners come and go', async () => {
      await fixture.start();
      const heard: string[] = [];
      const listen = (channel: UserChannel) => {
        const listener = fixture.bus.listenToUser(channel, { hear: (data) => void heard.push(`${channel}: ${Buffer.from(data)}`) });
        return () => listener.stop();
      };
      const channels = Array.from({ length: 6 }, (_, i) => `users.u${i}` as const);
      const stops = new Map<Channel, () => void>();
      let round = 0;
      /** Every listener of the channel hears the message once, and no other listener does. */
      const check = async () => {
        const text = String(++round);
        heard.length = 0;
        for (const channel of [...channels, 'users.nobody'] as Channel[]) fixture.bus.announce(channel, Buffer.from(text));
        await until(`round ${text}`, () => heard.filter((line) => line.endsWith(` ${text}`)).length >= stops.size);
        const marker: string[] = [];
        const stop = fixture.bus.onAnnouncement('nodes', () => void marker.push(''));
        fixture.bus.announce('nodes', Buffer.from(''));
        await until('what comes after', () => marker.length === 1);
        stop();
        expect([...heard].sort()).toEqual([...stops.keys()].map((channel) => `${channel}: ${text}`).sort());
      };
      for (const channel of channels) {
        stops.set(channel, listen(channel));
        await check();
      }
      for (const channel of channels.slice(0, 5)) {
        stops.get(channel)?.();
        stops.delete(channel);
        await check();
      }
    });

    it('are dropped after the end, without an error', async () => {
      await fixture.start();
      const { bus } = fixture;
      await bus.stop();
      expect(() => bus.announce('nodes', Buffer.from('1'))).not.toThrow();
    });
  });
}
