import { describe, expect, it } from 'vitest';
import { Inbox } from '../support/publications.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describeFollowing(fixture: BusFixture): void {
  describe('following a log', () => {
    it('delivers every publication of the namespace once, in order, with rising offsets', async () => {
      await fixture.start();
      const inbox = new Inbox();
      const follower = await fixture.bus.log(fixture.plain).follow(0, inbox.receive, inbox.fail);
      await fixture.publish(topicOf(fixture.plain, 'a'), '1');
      await fixture.publish(topicOf(fixture.plain, 'b', 'c'), '2');
      await fixture.publish(topicOf(fixture.plain), '3');
      await inbox.count(3);
      expect(inbox.texts).toEqual(['1', '2', '3']);
      expect(inbox.publications.map((each) => each.topic)).toEqual([`${fixture.plain}.a`, `${fixture.plain}.b.c`, fixture.plain]);
      expect(inbox.offsets).toEqual([...inbox.offsets].sort((a, b) => a - b));
      expect(follower.position).toBe(inbox.offsets.at(-1));
    });

    it('begins after the offset asked for', async () => {
      await fixture.start();
      const offsets = await fixture.publishMany(topicOf(fixture.plain, 'a'), 20);
      const inbox = new Inbox();
      const after = offsets[9]!;
      await fixture.bus.log(fixture.plain).follow(after, inbox.receive, inbox.fail);
      await fixture.publish(topicOf(fixture.plain, 'a'), 'live');
      await inbox.count(11);
      expect(inbox.texts).toEqual([...Array.from({ length: 10 }, (_, i) => String(i + 10)), 'live']);
    });

    it('misses none of 5,000 publications at full speed, before and while it follows', async () => {
      await fixture.start();
      const inbox = new Inbox();
      const early = fixture.publishMany(topicOf(fixture.plain, 'a'), 2500, 'a');
      const following = fixture.bus.log(fixture.plain).follow(0, inbox.receive, inbox.fail);
      const late = fixture.publishMany(topicOf(fixture.plain, 'b'), 2500, 'b');
      const stored = [...(await early), ...(await late)].sort((a, b) => a - b);
      await following;
      await inbox.count(5000);
      expect(inbox.offsets).toEqual(stored);
      expect(new Set(inbox.texts).size).toBe(5000);
      expect(inbox.errors).toEqual([]);
    });

    it('lets a receiver publish: its publication is delivered after its call, not inside it', async () => {
      await fixture.start();
      const inbox = new Inbox();
      let depth = 0;
      await fixture.bus.log(fixture.plain).follow(
        0,
        (publication) => {
          expect(++depth).toBe(1);
          if (inbox.publications.length < 3) void fixture.publish(topicOf(fixture.plain, 'a'), 'more');
          depth--;
          inbox.receive(publication);
        },
        inbox.fail,
      );
      await fixture.publish(topicOf(fixture.plain, 'a'), 'first');
      await inbox.count(4);
      expect(inbox.texts).toEqual(['first', 'more', 'more', 'more']);
    });

    it('serves several followers, and stops only the one that is stopped', async () => {
      await fixture.start();
      const [one, two] = [new Inbox(), new Inbox()];
      const stopped = await fixture.bus.log(fixture.plain).follow(0, one.receive, one.fail);
      await fixture.bus.log(fixture.plain).follow(0, two.receive, two.fail);
      await fixture.publish(topicOf(fixture.plain, 'a'), '1');
      await Promise.all([one.count(1), two.count(1)]);
      await stopped.stop();
      await fixture.publish(topicOf(fixture.plain, 'a'), '2');
      await two.count(2);
      expect(one.texts).toEqual(['1']);
      expect(one.errors).toEqual([]);
    });

    it('cannot begin where publications have been removed', async () => {
      await fixture.start({ maxCount: 5 });
      await fixture.publishMany(topicOf(fixture.plain, 'a'), 20);
      const inbox = new Inbox();
      await expect(fixture.bus.log(fixture.plain).follow(0, inbox.receive, inbox.fail)).rejects.toMatchObject({ code: 'log_gap' });
    });

    it('leaves out publications that later ones of the same key superseded', async () => {
      await fixture.start({ maxCount: 2 });
      const to = topicOf(fixture.keyed, 'a');
      await fixture.publishKey(to, 'quiet', 'q');
      for (let i = 0; i < 10; i++) await fixture.publishKey(to, 'busy', String(i));
      const inbox = new Inbox();
      await fixture.bus.log(fixture.keyed).follow(0, inbox.receive, inbox.fail);
      await fixture.publishKey(to, 'busy', 'live');
      await inbox.until(() => inbox.texts.at(-1) === 'live', 'the live one');
      expect(inbox.texts[0]).toBe('q');
      expect(inbox.texts.slice(-2)).toEqual(['9', 'live']);
      expect(inbox.errors).toEqual([]);
    });

    it('cannot begin beyond the end: that offset is of a log that was rolled back', async () => {
      await fixture.start();
      const { offset } = await fixture.publish(topicOf(fixture.plain, 'a'), '1');
      const inbox = new Inbox();
      const following = fixture.bus.log(fixture.plain).follow(offset + 5, inbox.receive, inbox.fail);
      await expect(following).rejects.toMatchObject({ code: 'log_rolled_back' });
    });
  });
}
