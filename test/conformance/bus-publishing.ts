import { describe, expect, it } from 'vitest';
import { messageId } from '../../src/bus/message-id.ts';
import { parseKey } from '../../src/protocol/topic.ts';
import { KEYS } from '../support/keys.ts';
import { Inbox, textOf } from '../support/publications.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describePublishing(fixture: BusFixture): void {
  describe('durable publishing', () => {
    it('acknowledges with the epoch and a rising offset, across the topics of a namespace', async () => {
      await fixture.start();
      const first = await fixture.publish(topicOf(fixture.plain, 'a'), '1');
      const second = await fixture.publish(topicOf(fixture.plain, 'b'), '2');
      const { epoch, lastOffset } = await fixture.bus.log(fixture.plain).state();
      expect(first.offset).toBeGreaterThan(0);
      expect(second).toEqual({ epoch, offset: lastOffset, duplicate: false });
      expect(second.offset).toBeGreaterThan(first.offset);
      expect(epoch).not.toBe('');
    });

    it('stores the same message id once, and answers with the first one’s offset', async () => {
      await fixture.start();
      const to = topicOf(fixture.plain, 'a');
      const id = messageId(to, 'ana', 'order-7');
      const first = await fixture.publish(to, 'once', { messageId: id });
      const again = await fixture.publish(to, 'once', { messageId: id });
      expect(again).toEqual({ ...first, duplicate: true });
      expect((await fixture.bus.log(fixture.plain).state()).lastOffset).toBe(first.offset);
    });

    it('stores the same key of the same user on another topic, and of another user', async () => {
      await fixture.start();
      const acks = await Promise.all([
        fixture.publish(topicOf(fixture.plain, 'a'), '1', { messageId: messageId(topicOf(fixture.plain, 'a'), 'ana', 'k') }),
        fixture.publish(topicOf(fixture.plain, 'b'), '2', { messageId: messageId(topicOf(fixture.plain, 'b'), 'ana', 'k') }),
        fixture.publish(topicOf(fixture.plain, 'a'), '3', { messageId: messageId(topicOf(fixture.plain, 'a'), 'bob', 'k') }),
      ]);
      expect(acks.map(({ duplicate }) => duplicate)).toEqual([false, false, false]);
    });

    it('stores an id once when it is published many times at once', async () => {
      await fixture.start();
      const to = topicOf(fixture.plain, 'a');
      const acks = await Promise.all(Array.from({ length: 50 }, () => fixture.publish(to, 'x', { messageId: 'same' })));
      expect(new Set(acks.map(({ offset }) => offset)).size).toBe(1);
      expect(acks.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    });

    it('stores the bytes that a view or buffer covers', async () => {
      await fixture.start();
      const to = topicOf(fixture.plain, 'a');
      const buffer = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer;
      const payloads = [Float32Array.of(1.25), new Int16Array(buffer, 2, 2), new DataView(buffer, 1, 3), buffer, new BigInt64Array(0)];
      for (const payload of payloads) {
        await fixture.bus.publish({ topic: to, key: null, payload: payload as unknown as Uint8Array, payloadKind: 'bytes' });
      }
      const stored = (await fixture.bus.log(fixture.plain).readLast(to, 10)).map(({ payload }) => Buffer.from(payload).toString('hex'));
      expect(stored).toEqual(['0000a03f', '02030405', '010203', '0001020304050607', '']);
      const noBytes = { topic: to, key: null, payload: 'text' as unknown as Uint8Array, payloadKind: 'json' as const };
      await expect(fixture.bus.publish(noBytes)).rejects.toMatchObject({ code: 'publish_refused' });
    });

    it('refuses a namespace that is not configured', async () => {
      await fixture.start();
      await expect(fixture.publish(topicOf('nowhere', 'a'), '1')).rejects.toMatchObject({ code: 'unknown_namespace' });
      expect(() => fixture.bus.log('nowhere')).toThrowError(expect.objectContaining({ code: 'unknown_namespace' }));
      expect(() => fixture.bus.log(fixture.ephemeral)).toThrowError(expect.objectContaining({ code: 'unknown_namespace' }));
    });

    it('refuses a keyed topic’s publication without a key, and another one’s with a key', async () => {
      await fixture.start();
      await expect(fixture.publish(topicOf(fixture.keyed, 'a'), '1')).rejects.toMatchObject({ code: 'publish_refused' });
      await expect(fixture.publishKey(topicOf(fixture.plain, 'a'), 'k', '1')).rejects.toMatchObject({ code: 'publish_refused' });
      await expect(fixture.publish(topicOf(fixture.ephemeralKeyed, 'a'), '1')).rejects.toMatchObject({ code: 'publish_refused' });
    });

    it('carries a publication whole: key, payload bytes, kind, origin and time', async () => {
      await fixture.start();
      const to = topicOf(fixture.keyed, 'nasdaq');
      const payload = Uint8Array.from({ length: 256 }, (_, i) => i);
      const origin = { user: 'ana\r\nX: ☃ %41', connectionId: 'node-1/7' };
      const { offset } = await fixture.publish(to, '', { key: parseKey('AAPL'), payload, payloadKind: 'bytes', origin });
      const inbox = new Inbox();
      await fixture.bus.log(fixture.keyed).follow(0, inbox.receive, inbox.fail);
      await inbox.count(1);
      const log = fixture.bus.log(fixture.keyed);
      const { publications } = await log.read(to, { after: 0, limit: 10 });
      for (const found of [inbox.publications, publications, await log.readLast(to, 1), await log.snapshot(to)]) {
        expect(found).toHaveLength(1);
        expect(found[0]).toMatchObject({ topic: to, key: 'AAPL', offset, payloadKind: 'bytes', origin });
        expect(Buffer.from(found[0]!.payload).equals(payload)).toBe(true);
        expect(found[0]!.publishedAtMs).toBeCloseTo(inbox.publications[0]!.publishedAtMs, 1);
      }
    });

    it('accepts keys of any text, and keeps the latest of each', async () => {
      await fixture.start();
      const to = topicOf(fixture.keyed, 'nasdaq');
      for (const key of KEYS) await fixture.publishKey(to, key, 'old');
      for (const key of KEYS) await fixture.publishKey(to, key, key);
      const inbox = new Inbox();
      await fixture.bus.log(fixture.keyed).follow(0, inbox.receive, inbox.fail);
      await inbox.count(2 * KEYS.length);
      const log = fixture.bus.log(fixture.keyed);
      const { publications } = await log.read(to, { after: 0, limit: 100 });
      expect(inbox.publications.map(({ key }) => key)).toEqual([...KEYS, ...KEYS]);
      expect(publications.map(({ key }) => key)).toEqual([...KEYS, ...KEYS]);
      const latest = await log.snapshot(to);
      expect(latest.map(({ key }) => key)).toEqual(KEYS);
      expect(latest.map(textOf)).toEqual(KEYS);
      expect([...fixture.bus.faults()]).toEqual([]);
    });

    it('refuses a topic of another depth than its namespace has', async () => {
      await fixture.start();
      const { keyed: topic } = fixture;
      await expect(fixture.publishKey(topicOf(topic, 'too', 'deep'), 'k', '1')).resolves.toBeDefined();
      await expect(fixture.publish(topicOf(fixture.fixedDepth, 'a', 'b'), '1')).rejects.toMatchObject({ code: 'publish_refused' });
      await expect(fixture.publish(topicOf(fixture.fixedDepth), '1')).rejects.toMatchObject({ code: 'publish_refused' });
      await expect(fixture.publish(topicOf(fixture.fixedDepth, 'a'), '1')).resolves.toMatchObject({ duplicate: false });
    });

    it('carries an empty payload, which removes a key', async () => {
      await fixture.start();
      await fixture.publishKey(topicOf(fixture.keyed, 'a'), 'k', '');
      expect((await fixture.bus.log(fixture.keyed).snapshot(topicOf(fixture.keyed, 'a'))).map(textOf)).toEqual(['']);
    });
  });
}
