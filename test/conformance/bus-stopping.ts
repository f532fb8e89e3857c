import { describe, expect, it } from 'vitest';
import { Inbox } from '../support/publications.ts';
import { type BusStage, topicOf } from './bus-stage.ts';

export function describeStopping(stage: BusStage): void {
  describe('calls and stopping', () => {
    it('fail at once when nobody serves the method', async () => {
      await stage.start();
      await expect(stage.bus.call('no.such', Buffer.from('1'), 5000)).rejects.toMatchObject({ code: 'no_responders' });
      await expect(stage.bus.call('no such > method', Buffer.from('1'), 5000)).rejects.toMatchObject({ code: 'no_responders' });
    });

    it('ends followers and listeners, and refuses publishes', async () => {
      await stage.start();
      const inbox = new Inbox();
      await stage.bus.log(stage.plain).follow(0, inbox.receive, inbox.fail);
      stage.bus.listen(topicOf(stage.ephemeral, 'a'), inbox);
      const changes: boolean[] = [];
      stage.bus.onConnectedChange((connected) => changes.push(connected));
      expect(stage.bus.connected).toBe(true);
      await stage.bus.stop();
      await stage.bus.stop();
      expect(stage.bus.connected).toBe(false);
      expect(changes).toEqual([false]);
      await expect(stage.publish(topicOf(stage.plain, 'a'), '1')).rejects.toMatchObject({ code: 'bus_closed' });
      await expect(stage.publish(topicOf(stage.ephemeral, 'a'), '1')).rejects.toMatchObject({ code: 'bus_closed' });
      await expect(stage.bus.call('any', Buffer.from(''), 100)).rejects.toMatchObject({ code: 'bus_closed' });
      expect(inbox.publications).toEqual([]);
      expect(inbox.errors).toEqual([]);
    });

    it('fails publishes that wait', async () => {
      await stage.start();
      const publishes = Array.from({ length: 100 }, (_, i) => stage.publish(topicOf(stage.plain, 'a'), String(i)));
      const results = Promise.allSettled(publishes);
      await stage.bus.stop();
      for (const result of await results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'bus_closed' });
      }
    });
  });
}
