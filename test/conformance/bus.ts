import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus, PublishAck, PublishRequest } from '../../src/bus/bus.ts';
import { messageId } from '../../src/bus/message-id.ts';
import { type Key, parseKey, parseTopic, type Topic } from '../../src/protocol/topic.ts';
import { Inbox, textOf } from '../support/publications.ts';

/** What a bus implementation brings for the suite to run on it. */
export interface BusHarness {
  /** A started bus with these namespaces (options as in the config) and none else. */
  open(namespaces: Readonly<Record<string, object>>): Promise<Bus>;
  /** Lets the bus's clock go on so far. */
  passTime(ms: number): Promise<void>;
}

let nextName = 1;

/** The promises of `src/bus/bus.ts`, checked on whatever keeps them. */
export function describeBus(name: string, harness: BusHarness): void {
  describe(`${name} keeps the bus contract:`, () => {
    const open: Bus[] = [];
    let plain: string;
    let keyed: string;
    let ephemeral: string;
    let bus: Bus;

    beforeEach(() => {
      // Names of their own for every test: a log outlives a bus.
      plain = `plain${nextName}`;
      keyed = `keyed${nextName}`;
      ephemeral = `ephemeral${nextName++}`;
    });

    afterEach(async () => {
      for (const each of open.splice(0)) await each.stop();
    });

    async function start(history: object = {}): Promise<void> {
      bus = await harness.open({
        [plain]: { history },
        [keyed]: { keyed: true, history },
        [ephemeral]: { durable: false },
      });
      open.push(bus);
    }

    function topic(...tokens: string[]): Topic {
      return parseTopic(tokens.join('.'));
    }

    function publish(to: Topic, text: string, more: Partial<PublishRequest> = {}): Promise<PublishAck> {
      return bus.publish({ topic: to, key: null, payload: Buffer.from(text), payloadKind: 'json', ...more });
    }

    function publishKey(to: Topic, key: string, text: string): Promise<PublishAck> {
      return publish(to, text, { key: parseKey(key) });
    }

    async function publishMany(to: Topic, count: number, prefix = ''): Promise<number[]> {
      const acks = await Promise.all(Array.from({ length: count }, (_, i) => publish(to, `${prefix}${i}`)));
      return acks.map(({ offset }) => offset);
    }

    describe('durable publishing', () => {
      it('acknowledges with the epoch and a rising offset, across the topics of a namespace', async () => {
        await start();
        const first = await publish(topic(plain, 'a'), '1');
        const second = await publish(topic(plain, 'b'), '2');
        const { epoch, lastOffset } = await bus.log(plain).state();
        expect(first.offset).toBeGreaterThan(0);
        expect(second).toEqual({ epoch, offset: lastOffset, duplicate: false });
        expect(second.offset).toBeGreaterThan(first.offset);
        expect(epoch).not.toBe('');
      });

      it('stores the same message id once, and answers with the first one’s offset', async () => {
        await start();
        const to = topic(plain, 'a');
        const id = messageId(to, 'ana', 'order-7');
        const first = await publish(to, 'once', { messageId: id });
        const again = await publish(to, 'once', { messageId: id });
        expect(again).toEqual({ ...first, duplicate: true });
        expect((await bus.log(plain).state()).lastOffset).toBe(first.offset);
      });

      it('stores the same key of the same user on another topic, and of another user', async () => {
        await start();
        const acks = await Promise.all([
          publish(topic(plain, 'a'), '1', { messageId: messageId(topic(plain, 'a'), 'ana', 'k') }),
          publish(topic(plain, 'b'), '2', { messageId: messageId(topic(plain, 'b'), 'ana', 'k') }),
          publish(topic(plain, 'a'), '3', { messageId: messageId(topic(plain, 'a'), 'bob', 'k') }),
        ]);
        expect(acks.map(({ duplicate }) => duplicate)).toEqual([false, false, false]);
      });

      it('stores an id once when it is published many times at once', async () => {
        await start();
        const to = topic(plain, 'a');
        const acks = await Promise.all(Array.from({ length: 50 }, () => publish(to, 'x', { messageId: 'same' })));
        expect(new Set(acks.map(({ offset }) => offset)).size).toBe(1);
        expect(acks.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      });

      it('refuses a namespace that is not configured', async () => {
        await start();
        await expect(publish(topic('nowhere', 'a'), '1')).rejects.toMatchObject({ code: 'unknown_namespace' });
        expect(() => bus.log('nowhere')).toThrowError(expect.objectContaining({ code: 'unknown_namespace' }));
        expect(() => bus.log(ephemeral)).toThrowError(expect.objectContaining({ code: 'unknown_namespace' }));
      });

      it('carries a publication whole: key, payload bytes, kind, origin and time', async () => {
        await start();
        const to = topic(keyed, 'nasdaq');
        const payload = Uint8Array.from({ length: 256 }, (_, i) => i);
        const origin = { user: 'ana\r\nX: ☃ %41', connectionId: 'node-1/7' };
        const { offset } = await publish(to, '', { key: parseKey('AAPL'), payload, payloadKind: 'bytes', origin });
        const inbox = new Inbox();
        await bus.log(keyed).follow(0, inbox.receive, inbox.fail);
        await inbox.count(1);
        const log = bus.log(keyed);
        const { publications } = await log.read(to, { after: 0, limit: 10 });
        for (const found of [inbox.publications, publications, await log.readLast(to, 1), await log.snapshot(to)]) {
          expect(found).toHaveLength(1);
          expect(found[0]).toMatchObject({ topic: to, key: 'AAPL', offset, payloadKind: 'bytes', origin });
          expect(Buffer.from(found[0]!.payload).equals(payload)).toBe(true);
          expect(found[0]!.publishedAtMs).toBeCloseTo(inbox.publications[0]!.publishedAtMs, 1);
        }
      });

      it('carries an empty payload, which removes a key', async () => {
        await start();
        await publishKey(topic(keyed, 'a'), 'k', '');
        expect((await bus.log(keyed).snapshot(topic(keyed, 'a'))).map(textOf)).toEqual(['']);
      });
    });

    describe('following a log', () => {
      it('delivers every publication of the namespace once, in order, with rising offsets', async () => {
        await start();
        const inbox = new Inbox();
        const follower = await bus.log(plain).follow(0, inbox.receive, inbox.fail);
        await publish(topic(plain, 'a'), '1');
        await publish(topic(plain, 'b', 'c'), '2');
        await publish(topic(plain), '3');
        await inbox.count(3);
        expect(inbox.texts).toEqual(['1', '2', '3']);
        expect(inbox.publications.map((each) => each.topic)).toEqual([`${plain}.a`, `${plain}.b.c`, plain]);
        expect(inbox.offsets).toEqual([...inbox.offsets].sort((a, b) => a - b));
        expect(follower.position).toBe(inbox.offsets.at(-1));
      });

      it('begins after the offset asked for', async () => {
        await start();
        const offsets = await publishMany(topic(plain, 'a'), 20);
        const inbox = new Inbox();
        const after = offsets[9]!;
        await bus.log(plain).follow(after, inbox.receive, inbox.fail);
        await publish(topic(plain, 'a'), 'live');
        await inbox.count(11);
        expect(inbox.texts).toEqual([...Array.from({ length: 10 }, (_, i) => String(i + 10)), 'live']);
      });

      it('misses nothing of 5,000 publications that are made as fast as may be, before and while it follows', async () => {
        await start();
        const inbox = new Inbox();
        const early = publishMany(topic(plain, 'a'), 2500, 'a');
        const following = bus.log(plain).follow(0, inbox.receive, inbox.fail);
        const late = publishMany(topic(plain, 'b'), 2500, 'b');
        const stored = [...(await early), ...(await late)].sort((a, b) => a - b);
        await following;
        await inbox.count(5000);
        expect(inbox.offsets).toEqual(stored);
        expect(new Set(inbox.texts).size).toBe(5000);
        expect(inbox.errors).toEqual([]);
      });

      it('lets a receiver publish: its publication comes after, and not inside its call', async () => {
        await start();
        const inbox = new Inbox();
        let depth = 0;
        await bus.log(plain).follow(
          0,
          (publication) => {
            expect(++depth).toBe(1);
            if (inbox.publications.length < 3) void publish(topic(plain, 'a'), 'more');
            depth--;
            inbox.receive(publication);
          },
          inbox.fail,
        );
        await publish(topic(plain, 'a'), 'first');
        await inbox.count(4);
        expect(inbox.texts).toEqual(['first', 'more', 'more', 'more']);
      });

      it('serves several followers, and ends the one that is stopped', async () => {
        await start();
        const [one, two] = [new Inbox(), new Inbox()];
        const stopped = await bus.log(plain).follow(0, one.receive, one.fail);
        await bus.log(plain).follow(0, two.receive, two.fail);
        await publish(topic(plain, 'a'), '1');
        await Promise.all([one.count(1), two.count(1)]);
        await stopped.stop();
        await publish(topic(plain, 'a'), '2');
        await two.count(2);
        expect(one.texts).toEqual(['1']);
        expect(one.errors).toEqual([]);
      });

      it('cannot begin where publications have been removed', async () => {
        await start({ maxCount: 5 });
        await publishMany(topic(plain, 'a'), 20);
        const inbox = new Inbox();
        await expect(bus.log(plain).follow(0, inbox.receive, inbox.fail)).rejects.toMatchObject({ code: 'log_gap' });
      });

      it('leaves out what later publications of the same key superseded', async () => {
        await start({ maxCount: 2 });
        const to = topic(keyed, 'a');
        await publishKey(to, 'quiet', 'q');
        for (let i = 0; i < 10; i++) await publishKey(to, 'busy', String(i));
        const inbox = new Inbox();
        await bus.log(keyed).follow(0, inbox.receive, inbox.fail);
        await publishKey(to, 'busy', 'live');
        await inbox.until(() => inbox.texts.at(-1) === 'live', 'the live one');
        expect(inbox.texts[0]).toBe('q');
        expect(inbox.texts.slice(-2)).toEqual(['9', 'live']);
        expect(inbox.errors).toEqual([]);
      });

      it('cannot begin beyond the end: that offset is of a log that was rolled back', async () => {
        await start();
        const { offset } = await publish(topic(plain, 'a'), '1');
        const inbox = new Inbox();
        const following = bus.log(plain).follow(offset + 5, inbox.receive, inbox.fail);
        await expect(following).rejects.toMatchObject({ code: 'log_rolled_back' });
      });
    });

    describe('reading', () => {
      it('knows a topic’s last offset, and no other topic’s', async () => {
        await start();
        const log = bus.log(plain);
        expect(await log.lastOffset(topic(plain, 'a'))).toBe(0);
        const a = await publish(topic(plain, 'a'), '1');
        const ab = await publish(topic(plain, 'a', 'b'), '2');
        expect(await log.lastOffset(topic(plain, 'a'))).toBe(a.offset);
        expect(await log.lastOffset(topic(plain, 'a', 'b'))).toBe(ab.offset);
        expect(await log.lastOffset(topic(plain))).toBe(0);
      });

      it('knows the last offset of a keyed topic over all its keys', async () => {
        await start();
        await publishKey(topic(keyed, 'a'), 'k1', '1');
        const { offset } = await publishKey(topic(keyed, 'a'), 'k2', '2');
        await publishKey(topic(keyed, 'a', 'k2'), 'k3', 'of another topic');
        await publishKey(topic(keyed), 'a', 'and another');
        expect(await bus.log(keyed).lastOffset(topic(keyed, 'a'))).toBe(offset);
        expect((await bus.log(keyed).snapshot(topic(keyed, 'a'))).map(textOf)).toEqual(['1', '2']);
      });

      it('reads a range of one topic, oldest first', async () => {
        await start();
        const offsets: number[] = [];
        for (let i = 0; i < 10; i++) {
          offsets.push((await publish(topic(plain, 'a'), `a${i}`)).offset);
          await publish(topic(plain, 'b'), `b${i}`);
        }
        const log = bus.log(plain);
        const read = async (after: number, upTo: number | undefined, limit: number) => {
          const range = upTo === undefined ? { after, limit } : { after, upTo, limit };
          const { publications, anchored, more } = await log.read(topic(plain, 'a'), range);
          return { texts: publications.map(textOf), anchored, more };
        };
        expect(await read(offsets[6]!, undefined, 100)).toEqual({ texts: ['a7', 'a8', 'a9'], anchored: true, more: false });
        expect(await read(offsets[6]!, offsets[8]!, 100)).toEqual({ texts: ['a7', 'a8'], anchored: true, more: false });
        // Up to an offset that is another topic's.
        expect(await read(offsets[6]!, offsets[8]! - 1, 100)).toEqual({ texts: ['a7'], anchored: true, more: false });
        expect(await read(offsets[2]!, undefined, 3)).toEqual({ texts: ['a3', 'a4', 'a5'], anchored: true, more: true });
        expect(await read(offsets[2]!, offsets[5]!, 3)).toEqual({ texts: ['a3', 'a4', 'a5'], anchored: true, more: false });
        expect(await read(offsets[9]!, undefined, 3)).toEqual({ texts: [], anchored: true, more: false });
        expect(await read(offsets[9]! + 1, undefined, 3)).toMatchObject({ texts: [], more: false });
        expect(await read(offsets[4]!, offsets[4]!, 3)).toEqual({ texts: [], anchored: true, more: false });
        expect(await read(0, undefined, 100)).toMatchObject({ texts: Array.from({ length: 10 }, (_, i) => `a${i}`), anchored: true });
      });

      it('reads a topic that has nothing', async () => {
        await start();
        expect(await bus.log(plain).read(topic(plain, 'a'), { after: 0, limit: 10 })).toEqual({
          publications: [],
          anchored: true,
          more: false,
        });
        expect(await bus.log(plain).readLast(topic(plain, 'a'), 10)).toEqual([]);
        expect(await bus.log(plain).snapshot(topic(plain, 'a'))).toEqual([]);
      });

      it('says that a range is anchored only while nothing after its start has been removed', async () => {
        await start({ maxCount: 5 });
        const to = topic(plain, 'a');
        // Another topic's first publication stays for ever, so the log's first offset tells nothing about this topic.
        await publish(topic(plain, 'other'), 'stays');
        const offsets = await publishMany(to, 12);
        const read = (after: number) => bus.log(plain).read(to, { after, limit: 100 });
        // 7 to 11 are left.
        for (const [index, anchored] of [
          [11, true],
          [9, true],
          [7, true],
          [5, false],
          [0, false],
        ] as const) {
          const result = await read(offsets[index]!);
          expect({ index, anchored: result.anchored }).toEqual({ index, anchored });
        }
        expect((await read(0)).anchored).toBe(false);
        expect((await read(0)).publications.map(textOf)).toEqual(['7', '8', '9', '10', '11']);
      });

      it('does not call a range of a keyed topic anchored when publications of a key have been removed', async () => {
        await start({ maxCount: 2 });
        const to = topic(keyed, 'a');
        const { offset } = await publishKey(to, 'quiet', 'q');
        for (let i = 0; i < 5; i++) await publishKey(to, 'busy', String(i));
        const { publications, anchored } = await bus.log(keyed).read(to, { after: offset, limit: 100 });
        expect(publications.map(textOf)).toEqual(['3', '4']);
        expect(anchored).toBe(false);
      });

      it('reads the last publications of a topic, however thinly it is spread', async () => {
        await start();
        const log = bus.log(plain);
        for (let i = 0; i < 30; i++) {
          await publish(topic(plain, 'rare'), `r${i}`);
          await publishMany(topic(plain, 'busy'), i < 15 ? 3 : 60, `${i}-`);
        }
        const rare = async (count: number) => (await log.readLast(topic(plain, 'rare'), count)).map(textOf);
        expect(await rare(1)).toEqual(['r29']);
        expect(await rare(4)).toEqual(['r26', 'r27', 'r28', 'r29']);
        expect(await rare(1000)).toEqual(Array.from({ length: 30 }, (_, i) => `r${i}`));
        expect((await log.readLast(topic(plain, 'busy'), 5)).map(textOf)).toEqual(['29-55', '29-56', '29-57', '29-58', '29-59']);
      });

      it('takes a snapshot: the latest publication of every key, oldest first, above an offset', async () => {
        await start();
        const to = topic(keyed, 'nasdaq');
        await publishKey(to, 'AAPL', 'a1');
        await publishKey(to, 'MSFT', 'm1');
        const { offset } = await publishKey(to, 'AAPL', 'a2');
        await publishKey(to, 'TSLA', 't1');
        await publishKey(topic(keyed, 'nyse'), 'IBM', 'i1');
        const log = bus.log(keyed);
        const snapshot = await log.snapshot(to);
        expect(snapshot.map(textOf)).toEqual(['m1', 'a2', 't1']);
        expect(snapshot.map(({ key }) => key)).toEqual(['MSFT', 'AAPL', 'TSLA']);
        expect((await log.snapshot(to, offset - 1)).map(textOf)).toEqual(['a2', 't1']);
        expect((await log.snapshot(to, offset)).map(textOf)).toEqual(['t1']);
      });

      it('takes a snapshot of a topic without keys: its last publication', async () => {
        await start();
        const offsets = await publishMany(topic(plain, 'a'), 3);
        const log = bus.log(plain);
        expect((await log.snapshot(topic(plain, 'a'))).map(textOf)).toEqual(['2']);
        expect(await log.snapshot(topic(plain, 'a'), offsets[2]!)).toEqual([]);
      });

      it('takes a snapshot of thousands of keys', async () => {
        await start();
        const to = topic(keyed, 'all');
        await Promise.all(Array.from({ length: 3000 }, (_, i) => publishKey(to, `k${i % 1500}`, String(i))));
        const snapshot = await bus.log(keyed).snapshot(to);
        expect(snapshot.map(textOf)).toEqual(Array.from({ length: 1500 }, (_, i) => String(i + 1500)));
      });

      it('answers hundreds of reads at once', async () => {
        await start();
        const topics = Array.from({ length: 200 }, (_, i) => topic(plain, `t${i}`));
        await Promise.all(topics.map((each) => publish(each, each)));
        const results = await Promise.all(topics.map((each) => bus.log(plain).read(each, { after: 0, limit: 10 })));
        expect(results.map(({ publications }) => publications.map(textOf))).toEqual(topics.map((each) => [each]));
      });
    });

    describe('keeping within bounds', () => {
      it('keeps so many publications of a topic, the newest', async () => {
        await start({ maxCount: 10 });
        await publish(topic(plain, 'b'), 'other');
        await publishMany(topic(plain, 'a'), 25);
        const log = bus.log(plain);
        const { publications } = await log.read(topic(plain, 'a'), { after: 0, limit: 100 });
        expect(publications.map(textOf)).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 15)));
        expect((await log.read(topic(plain, 'b'), { after: 0, limit: 100 })).publications).toHaveLength(1);
      });

      it('keeps so many publications of a key', async () => {
        await start({ maxCount: 2 });
        const to = topic(keyed, 'a');
        for (let i = 0; i < 5; i++) for (const key of ['k1', 'k2']) await publishKey(to, key, `${key}-${i}`);
        const { publications } = await bus.log(keyed).read(to, { after: 0, limit: 100 });
        expect(publications.map(textOf)).toEqual(['k1-3', 'k2-3', 'k1-4', 'k2-4']);
      });

      it('keeps publications so long', async () => {
        await start({ maxAgeMs: 1000 });
        await publishMany(topic(plain, 'a'), 5);
        await harness.passTime(2500);
        const log = bus.log(plain);
        const { firstOffset, lastOffset } = await log.state();
        expect(firstOffset).toBe(lastOffset + 1);
        expect(await log.lastOffset(topic(plain, 'a'))).toBe(0);
        expect(await log.read(topic(plain, 'a'), { after: 2, limit: 10 })).toEqual({ publications: [], anchored: false, more: false });
        const { offset } = await publish(topic(plain, 'a'), 'new');
        expect(offset).toBe(lastOffset + 1);
        const inbox = new Inbox();
        await log.follow(lastOffset, inbox.receive, inbox.fail);
        await inbox.count(1);
        expect(inbox.texts).toEqual(['new']);
      });

      it('keeps so many bytes of a namespace, the newest', async () => {
        await start({ maxBytes: 65_536 });
        const text = 'x'.repeat(2000);
        for (let i = 0; i < 100; i++) await publish(topic(plain, `t${i % 7}`), `${i}${text}`);
        const { firstOffset, lastOffset } = await bus.log(plain).state();
        const kept = lastOffset - firstOffset + 1;
        expect(kept).toBeLessThanOrEqual(32);
        expect(kept).toBeGreaterThan(20);
        const { publications, anchored } = await bus.log(plain).read(topic(plain, 't1'), { after: 0, limit: 100 });
        expect(publications.length).toBeGreaterThan(1);
        expect(anchored).toBe(false);
      });
    });

    describe('ephemeral topics', () => {
      it('deliver what is published from now on, in order, and are not stored', async () => {
        await start();
        const to = topic(ephemeral, 'a');
        await publish(to, 'before');
        const inbox = new Inbox();
        bus.listen(to, inbox.receive);
        const acks = await Promise.all(Array.from({ length: 1000 }, (_, i) => publish(to, String(i))));
        await publish(topic(ephemeral, 'b'), 'other');
        await inbox.count(1000);
        expect(inbox.texts).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
        expect(acks[0]).toEqual({ epoch: '', offset: 0, duplicate: false });
        expect(inbox.publications[0]).toMatchObject({ topic: to, key: null, offset: 0 });
      });

      it('carry origin and kind', async () => {
        await start();
        const to = topic(ephemeral, 'a');
        const inbox = new Inbox();
        bus.listen(to, inbox.receive);
        await publish(to, 'x', { payloadKind: 'msgpack', origin: { user: 'ana', connectionId: 'c1' } });
        await inbox.count(1);
        expect(inbox.publications[0]).toMatchObject({ payloadKind: 'msgpack', origin: { user: 'ana', connectionId: 'c1' } });
      });

      it('stop with their listener, and not with another one', async () => {
        await start();
        const to = topic(ephemeral, 'a');
        const [one, two] = [new Inbox(), new Inbox()];
        const listener = bus.listen(to, one.receive);
        bus.listen(to, two.receive);
        await publish(to, '1');
        await Promise.all([one.count(1), two.count(1)]);
        listener.stop();
        listener.stop();
        await publish(to, '2');
        await two.count(2);
        expect(one.texts).toEqual(['1']);
      });

      it('deliver a keyed topic’s publications with their keys', async () => {
        const namespace = `live${nextName++}`;
        bus = await harness.open({ [namespace]: { durable: false, keyed: true } });
        open.push(bus);
        const inbox = new Inbox();
        bus.listen(topic(namespace, 'a'), inbox.receive);
        await publishKey(topic(namespace, 'a'), 'k1', '1');
        await publishKey(topic(namespace, 'a', 'k1'), 'k2', 'other');
        await publishKey(topic(namespace, 'a'), 'k2', '2');
        await inbox.count(2);
        expect(inbox.publications.map(({ topic: of, key }) => [of, key])).toEqual([
          [`${namespace}.a`, 'k1' as Key],
          [`${namespace}.a`, 'k2' as Key],
        ]);
      });
    });

    describe('calls', () => {
      it('fail at once when nobody serves the method', async () => {
        await start();
        await expect(bus.call('no.such', Buffer.from('1'), 5000)).rejects.toMatchObject({ code: 'no_responders' });
        await expect(bus.call('no such > method', Buffer.from('1'), 5000)).rejects.toMatchObject({ code: 'no_responders' });
      });
    });

    describe('stopping', () => {
      it('ends followers and listeners, and refuses publishes', async () => {
        await start();
        const inbox = new Inbox();
        await bus.log(plain).follow(0, inbox.receive, inbox.fail);
        bus.listen(topic(ephemeral, 'a'), inbox.receive);
        const changes: boolean[] = [];
        bus.onConnectedChange((connected) => changes.push(connected));
        expect(bus.connected).toBe(true);
        await bus.stop();
        await bus.stop();
        expect(bus.connected).toBe(false);
        expect(changes).toEqual([false]);
        await expect(publish(topic(plain, 'a'), '1')).rejects.toMatchObject({ code: 'bus_closed' });
        await expect(publish(topic(ephemeral, 'a'), '1')).rejects.toMatchObject({ code: 'bus_closed' });
        await expect(bus.call('any', Buffer.from(''), 100)).rejects.toMatchObject({ code: 'bus_closed' });
        expect(inbox.publications).toEqual([]);
        expect(inbox.errors).toEqual([]);
      });

      it('fails publishes that wait', async () => {
        await start();
        const publishes = Array.from({ length: 100 }, (_, i) => publish(topic(plain, 'a'), String(i)));
        const results = Promise.allSettled(publishes);
        await bus.stop();
        for (const result of await results) {
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'bus_closed' });
        }
      });
    });
  });
}
