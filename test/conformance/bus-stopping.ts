import { describe, expect, it } from 'vitest';
import { Inbox } from '../support/publications.ts';
import { question } from '../support/question.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describeStopping(fixture: BusFixture): void {
  describe('calls and stopping', () => {
    it('fail immediately if no service answers the method', async () => {
      await fixture.start();
      await expect(fixture.bus.call(question('no.such'))).rejects.toMatchObject({ code: 'no_responders' });
      await expect(fixture.bus.call(question('no such > method'))).rejects.toMatchObject({ code: 'no_responders' });
    });

    it('ends followers and listeners, and refuses publishes', async () => {
      await fixture.start();
      const inbox = new Inbox();
      await fixture.bus.log(fixture.plain).follow(0, inbox.receive, inbox.fail);
      fixture.bus.listen(topicOf(fixture.ephemeral, 'a'), inbox);
      const changes: boolean[] = [];
      fixture.bus.onConnectedChange((connected) => changes.push(connected));
      expect(fixture.bus.connected).toBe(true);
      await fixture.bus.stop();
      await fixture.bus.stop();
      expect(fixture.bus.connected).toBe(false);
      expect(changes).toEqual([false]);
      await expect(fixture.publish(topicOf(fixture.plain, 'a'), '1')).rejects.toMatchObject({ code: 'bus_closed' });
      await expect(fixture.publish(topicOf(fixture.ephemeral, 'a'), '1')).rejects.toMatchObject({ code: 'bus_closed' });
      await expect(fixture.bus.call(question('any', '', 100))).rejects.toMatchObject({ code: 'bus_closed' });
      expect(inbox.publications).toEqual([]);
      expect(inbox.errors).toEqual([]);
    });

    it('fails waiting publishes', async () => {
      await fixture.start();
      const publishes = Array.from({ length: 100 }, (_, i) => fixture.publish(topicOf(fixture.plain, 'a'), String(i)));
      const results = Promise.allSettled(publishes);
      await fixture.bus.stop();
      for (const result of await results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'bus_closed' });
      }
    });
  });
}
