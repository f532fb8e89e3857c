import { describe, expect, it } from 'vitest';
import { Inbox } from '../support/publications.ts';
import { type BusStage, topicOf } from './bus-stage.ts';

export function describeEphemeral(stage: BusStage): void {
  describe('ephemeral topics', () => {
    it('deliver what is published from now on, in order, and are not stored', async () => {
      await stage.start();
      const to = topicOf(stage.ephemeral, 'a');
      await stage.publish(to, 'before');
      const inbox = new Inbox();
      stage.bus.listen(to, inbox);
      const acks = await Promise.all(Array.from({ length: 1000 }, (_, i) => stage.publish(to, String(i))));
      await stage.publish(topicOf(stage.ephemeral, 'b'), 'other');
      await inbox.count(1000);
      expect(inbox.texts).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
      expect(acks[0]).toEqual({ epoch: '', offset: 0, duplicate: false });
      expect(inbox.publications[0]).toMatchObject({ topic: to, key: null, offset: 0 });
    });

    it('carry origin and kind', async () => {
      await stage.start();
      const to = topicOf(stage.ephemeral, 'a');
      const inbox = new Inbox();
      stage.bus.listen(to, inbox);
      await stage.publish(to, 'x', { payloadKind: 'msgpack', origin: { user: 'ana', connectionId: 'c1' } });
      await inbox.count(1);
      expect(inbox.publications[0]).toMatchObject({ payloadKind: 'msgpack', origin: { user: 'ana', connectionId: 'c1' } });
    });

    it('stop with their listener, and not with another one', async () => {
      await stage.start();
      const to = topicOf(stage.ephemeral, 'a');
      const [one, two] = [new Inbox(), new Inbox()];
      const listener = stage.bus.listen(to, one);
      stage.bus.listen(to, two);
      await stage.publish(to, '1');
      await Promise.all([one.count(1), two.count(1)]);
      listener.stop();
      listener.stop();
      await stage.publish(to, '2');
      await two.count(2);
      expect(one.texts).toEqual(['1']);
    });

    it('deliver a keyed topic’s publications with their keys', async () => {
      await stage.start();
      const namespace = stage.ephemeralKeyed;
      const inbox = new Inbox();
      stage.bus.listen(topicOf(namespace, 'a'), inbox);
      await stage.publishKey(topicOf(namespace, 'a'), 'k1', '1');
      await stage.publishKey(topicOf(namespace, 'a', 'k1'), 'k2', 'other');
      await stage.publishKey(topicOf(namespace, 'a'), 'k2', '2');
      await inbox.count(2);
      expect(inbox.publications.map(({ topic: of, key }) => [of, key])).toEqual([
        [`${namespace}.a`, 'k1'],
        [`${namespace}.a`, 'k2'],
      ]);
    });
  });
}
