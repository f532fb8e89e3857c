import { describe, expect, it } from 'vitest';
import { oneKeyOf, parseFeedName } from '../../src/protocol/feed-name.ts';
import { parseKey } from '../../src/protocol/topic.ts';
import { Inbox } from '../support/publications.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describeEphemeral(fixture: BusFixture): void {
  describe('ephemeral topics', () => {
    it('deliver what is published from now on, in order, and are not stored', async () => {
      await fixture.start();
      const to = topicOf(fixture.ephemeral, 'a');
      await fixture.publish(to, 'before');
      const inbox = new Inbox();
      fixture.bus.listen(to, inbox);
      const acks = await Promise.all(Array.from({ length: 1000 }, (_, i) => fixture.publish(to, String(i))));
      await fixture.publish(topicOf(fixture.ephemeral, 'b'), 'other');
      await inbox.count(1000);
      expect(inbox.texts).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
      expect(acks[0]).toEqual({ epoch: '', offset: 0, duplicate: false });
      expect(inbox.publications[0]).toMatchObject({ topic: to, key: null, offset: 0 });
    });

    it('deliver one key to who listens to it', async () => {
      await fixture.start();
      const to = topicOf(fixture.ephemeralKeyed, 'a');
      const [key, whole] = [new Inbox(), new Inbox()];
      fixture.bus.listen(oneKeyOf(to, parseKey('A.B')), key);
      fixture.bus.listen(to, whole);
      for (const [index, text] of ['A.B', 'A', 'A.B'].entries()) await fixture.publishKey(to, text, String(index));
      await Promise.all([key.count(2), whole.count(3)]);
      expect(key.texts).toEqual(['0', '2']);
    });

    it('deliver what a pattern matches to who listens to it, until that stops', async () => {
      await fixture.start();
      const inbox = new Inbox();
      const listener = fixture.bus.listen(parseFeedName(`${fixture.ephemeral}.p.>`), inbox);
      await listener.live;
      for (const rest of ['p.a', 'q.a', 'p', 'p.b.c']) await fixture.publish(topicOf(fixture.ephemeral, ...rest.split('.')), rest);
      await inbox.count(2);
      expect(inbox.texts).toEqual(['p.a', 'p.b.c']);
      expect(inbox.publications.map(({ topic }) => topic)).toEqual([`${fixture.ephemeral}.p.a`, `${fixture.ephemeral}.p.b.c`]);
      listener.stop();
    });

    it('carry origin and kind', async () => {
      await fixture.start();
      const to = topicOf(fixture.ephemeral, 'a');
      const inbox = new Inbox();
      fixture.bus.listen(to, inbox);
      await fixture.publish(to, 'x', { payloadKind: 'msgpack', origin: { user: 'ana', connectionId: 'c1' } });
      await inbox.count(1);
      expect(inbox.publications[0]).toMatchObject({ payloadKind: 'msgpack', origin: { user: 'ana', connectionId: 'c1' } });
    });

    it('stop with their listener, and not with another one', async () => {
      await fixture.start();
      const to = topicOf(fixture.ephemeral, 'a');
      const [one, two] = [new Inbox(), new Inbox()];
      const listener = fixture.bus.listen(to, one);
      fixture.bus.listen(to, two);
      await fixture.publish(to, '1');
      await Promise.all([one.count(1), two.count(1)]);
      listener.stop();
      listener.stop();
      await fixture.publish(to, '2');
      await two.count(2);
      expect(one.texts).toEqual(['1']);
    });

    it('deliver a keyed topic’s publications with their keys', async () => {
      await fixture.start();
      const namespace = fixture.ephemeralKeyed;
      const inbox = new Inbox();
      fixture.bus.listen(topicOf(namespace, 'a'), inbox);
      await fixture.publishKey(topicOf(namespace, 'a'), 'k1', '1');
      await fixture.publishKey(topicOf(namespace, 'a', 'k1'), 'k2', 'other');
      await fixture.publishKey(topicOf(namespace, 'a'), 'k2', '2');
      await inbox.count(2);
      expect(inbox.publications.map(({ topic: of, key }) => [of, key])).toEqual([
        [`${namespace}.a`, 'k1'],
        [`${namespace}.a`, 'k2'],
      ]);
    });
  });
}
