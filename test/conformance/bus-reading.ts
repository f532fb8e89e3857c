import { describe, expect, it } from 'vitest';
import type { Publication } from '../../src/bus/publication.ts';
import { oneKeyOf, parseFeedName } from '../../src/protocol/feed-name.ts';
import { parseKey, type Topic } from '../../src/protocol/topic.ts';
import { textOf } from '../support/publications.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describeReading(fixture: BusFixture): void {
  describe('scanning a topic with a document for each key', () => {
    it('gives every publication after an offset, and proves that none was removed', async () => {
      await fixture.start({ maxCount: 3 });
      const topic = topicOf(fixture.keyedDocuments, 'a');
      const log = fixture.bus.log(fixture.keyedDocuments);
      const scan = async (after: number) => {
        const found: string[] = [];
        const result = await log.scan(topic, { after }, (publication) => void found.push(`${publication.key} ${textOf(publication)}`));
        return { ...result, found };
      };
      expect(await scan(0)).toEqual({ offset: 0, anchored: true, found: [] });
      const first = await fixture.publishKey(topic, 'a', '1');
      await fixture.publishKey(topicOf(fixture.keyedDocuments, 'b'), 'a', 'other');
      await fixture.publishKey(topic, 'b.c', '2');
      const third = await fixture.publishKey(topic, 'a', '3');
      expect(await scan(0)).toEqual({ offset: third.offset, anchored: true, found: ['a 1', 'b.c 2', 'a 3'] });
      expect(await scan(first.offset)).toEqual({ offset: third.offset, anchored: true, found: ['b.c 2', 'a 3'] });
      for (const text of ['4', '5', '6']) await fixture.publishKey(topic, 'a', text);
      const since = await scan(third.offset);
      expect(since.found).toEqual(['a 4', 'a 5', 'a 6']);
      // As many as are kept: some may have been removed before them, as one was of what came after the first.
      expect((await scan(first.offset)).anchored).toBe(false);
    });
  });

  describe('reading', () => {
    it('knows a topic’s last offset, and no other topic’s', async () => {
      await fixture.start();
      const log = fixture.bus.log(fixture.plain);
      expect(await log.lastOffset(topicOf(fixture.plain, 'a'))).toBe(0);
      const a = await fixture.publish(topicOf(fixture.plain, 'a'), '1');
      const ab = await fixture.publish(topicOf(fixture.plain, 'a', 'b'), '2');
      expect(await log.lastOffset(topicOf(fixture.plain, 'a'))).toBe(a.offset);
      expect(await log.lastOffset(topicOf(fixture.plain, 'a', 'b'))).toBe(ab.offset);
      expect(await log.lastOffset(topicOf(fixture.plain))).toBe(0);
    });

    it('knows the last offset of a keyed topic over all its keys', async () => {
      await fixture.start();
      await fixture.publishKey(topicOf(fixture.keyed, 'a'), 'k1', '1');
      const { offset } = await fixture.publishKey(topicOf(fixture.keyed, 'a'), 'k2', '2');
      await fixture.publishKey(topicOf(fixture.keyed, 'a', 'k2'), 'k3', 'of another topic');
      await fixture.publishKey(topicOf(fixture.keyed), 'a', 'and another');
      expect(await fixture.bus.log(fixture.keyed).lastOffset(topicOf(fixture.keyed, 'a'))).toBe(offset);
      expect((await fixture.bus.log(fixture.keyed).snapshot(topicOf(fixture.keyed, 'a'))).map(textOf)).toEqual(['1', '2']);
    });

    it('knows where a time is: after everything that was stored before it, of any topic', async () => {
      await fixture.start({ maxCount: 3 });
      const log = fixture.bus.log(fixture.plain);
      expect(await log.offsetBefore(0)).toBe(0);
      expect(await log.offsetBefore(8.64e15)).toBe(0);
      const stored: Publication[] = [];
      const store = async (topic: Topic, text: string) => {
        await fixture.passTime(20);
        const { offset } = await fixture.publish(topic, text);
        stored.push((await log.read(topic, { after: offset - 1, limit: 1 })).publications[0]!);
      };
      const [often, once] = [topicOf(fixture.plain, 'often'), topicOf(fixture.plain, 'once')];
      for (let n = 0; n < 3; n++) await store(often, `${n}`);
      await store(once, 'of another topic');
      // The first two of the log go.
      for (let n = 3; n < 5; n++) await store(often, `${n}`);
      for (const { offset, publishedAtMs } of stored.slice(2)) {
        expect(await log.offsetBefore(Math.floor(publishedAtMs))).toBe(offset - 1);
        expect(await log.offsetBefore(Math.floor(publishedAtMs) + 1)).toBe(offset);
      }
      expect(await log.offsetBefore(0)).toBe(stored[2]!.offset - 1);
      expect(await log.offsetBefore(8.64e15)).toBe(stored.at(-1)!.offset);
    });

    it('reads a range of one topic, oldest first', async () => {
      await fixture.start();
      const offsets: number[] = [];
      for (let i = 0; i < 10; i++) {
        offsets.push((await fixture.publish(topicOf(fixture.plain, 'a'), `a${i}`)).offset);
        await fixture.publish(topicOf(fixture.plain, 'b'), `b${i}`);
      }
      const log = fixture.bus.log(fixture.plain);
      const read = async (after: number, upTo: number | undefined, limit: number) => {
        const range = upTo === undefined ? { after, limit } : { after, upTo, limit };
        const { publications, anchored, more } = await log.read(topicOf(fixture.plain, 'a'), range);
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

    it('knows the last publication of each of many topics, and of single keys', async () => {
      await fixture.start();
      const topics = Array.from({ length: 20 }, (_, i) => topicOf(fixture.plain, `t${i}`));
      expect(await fixture.bus.log(fixture.plain).latest(topics)).toEqual(topics.map(() => undefined));
      for (const text of ['1', '2']) for (const topic of topics.slice(5)) await fixture.publish(topic, text);
      const latest = await fixture.bus.log(fixture.plain).latest(topics);
      expect(latest.map((one) => one && [one.topic, textOf(one)])).toEqual(topics.map((topic, i) => (i < 5 ? undefined : [topic, '2'])));
      expect(await fixture.bus.log(fixture.plain).latest([])).toEqual([]);

      const keyed = topicOf(fixture.keyed, 'a');
      const keys = ['k/1', 'k2', 'k3', 'k4', 'k5'];
      for (const key of keys.slice(1)) await fixture.publishKey(keyed, key, key);
      const ofKeys = await fixture.bus.log(fixture.keyed).latest(keys.map((key) => oneKeyOf(keyed, parseKey(key))));
      expect(ofKeys.map((one) => one && [one.key, textOf(one)])).toEqual(keys.map((key, i) => (i === 0 ? undefined : [key, key])));
    });

    it('reads a topic that has nothing', async () => {
      await fixture.start();
      expect(await fixture.bus.log(fixture.plain).read(topicOf(fixture.plain, 'a'), { after: 0, limit: 10 })).toEqual({
        publications: [],
        anchored: true,
        provenAfter: 0,
        more: false,
      });
      expect(await fixture.bus.log(fixture.plain).readLast(topicOf(fixture.plain, 'a'), 10)).toEqual([]);
      expect(await fixture.bus.log(fixture.plain).snapshot(topicOf(fixture.plain, 'a'))).toEqual([]);
    });

    it('reads up to a number of bytes, but at least one publication, and the last publications', async () => {
      await fixture.start();
      const to = topicOf(fixture.plain, 'a');
      for (let i = 0; i < 6; i++) await fixture.publish(to, `${i}`.repeat(100));
      const log = fixture.bus.log(fixture.plain);
      const read = await log.read(to, { after: 0, limit: 100, bytesMax: 350 });
      expect(read.publications.map((publication) => textOf(publication)[0])).toEqual(['0', '1', '2']);
      expect(read.more).toBe(true);
      expect(await log.read(to, { after: 0, limit: 100, bytesMax: 10 })).toMatchObject({ publications: [{ offset: 1 }], more: true });
      expect((await log.readLast(to, 100, 350)).map((publication) => textOf(publication)[0])).toEqual(['3', '4', '5']);
      expect((await log.readLast(to, 100, 10)).map((publication) => textOf(publication)[0])).toEqual(['5']);
    });

    it('proves a range from its first publication where its start has been removed', async () => {
      await fixture.start({ maxCount: 5 });
      const to = topicOf(fixture.plain, 'a');
      await fixture.publish(topicOf(fixture.plain, 'other'), 'stays for ever');
      const offsets = await fixture.publishMany(to, 20);
      const { anchored, provenAfter } = await fixture.bus.log(fixture.plain).read(to, { after: offsets[3]!, limit: 100 });
      expect({ anchored, provenAfter }).toEqual({ anchored: false, provenAfter: offsets[15] });
    });

    it('says that a range is anchored only while nothing after its start has been removed', async () => {
      await fixture.start({ maxCount: 5 });
      const to = topicOf(fixture.plain, 'a');
      // Another topic's first publication stays for ever, so the log's first offset tells nothing about this topic.
      await fixture.publish(topicOf(fixture.plain, 'other'), 'stays');
      const offsets = await fixture.publishMany(to, 12);
      const read = (after: number) => fixture.bus.log(fixture.plain).read(to, { after, limit: 100 });
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
      await fixture.start({ maxCount: 2 });
      const to = topicOf(fixture.keyed, 'a');
      const { offset } = await fixture.publishKey(to, 'quiet', 'q');
      for (let i = 0; i < 5; i++) await fixture.publishKey(to, 'busy', String(i));
      const { publications, anchored } = await fixture.bus.log(fixture.keyed).read(to, { after: offset, limit: 100 });
      expect(publications.map(textOf)).toEqual(['3', '4']);
      expect(anchored).toBe(false);
    });

    it('reads the last publications of a topic, however thinly it is spread', async () => {
      await fixture.start();
      const log = fixture.bus.log(fixture.plain);
      for (let i = 0; i < 30; i++) {
        await fixture.publish(topicOf(fixture.plain, 'rare'), `r${i}`);
        await fixture.publishMany(topicOf(fixture.plain, 'busy'), i < 15 ? 3 : 60, `${i}-`);
      }
      const rare = async (count: number) => (await log.readLast(topicOf(fixture.plain, 'rare'), count)).map(textOf);
      expect(await rare(1)).toEqual(['r29']);
      expect(await rare(4)).toEqual(['r26', 'r27', 'r28', 'r29']);
      expect(await rare(1000)).toEqual(Array.from({ length: 30 }, (_, i) => `r${i}`));
      expect((await log.readLast(topicOf(fixture.plain, 'busy'), 5)).map(textOf)).toEqual(['29-55', '29-56', '29-57', '29-58', '29-59']);
    });

    it('reads a snapshot: the latest publication of every key, oldest first, above an offset', async () => {
      await fixture.start();
      const to = topicOf(fixture.keyed, 'nasdaq');
      await fixture.publishKey(to, 'AAPL', 'a1');
      await fixture.publishKey(to, 'MSFT', 'm1');
      const { offset } = await fixture.publishKey(to, 'AAPL', 'a2');
      await fixture.publishKey(to, 'TSLA', 't1');
      await fixture.publishKey(topicOf(fixture.keyed, 'nyse'), 'IBM', 'i1');
      const log = fixture.bus.log(fixture.keyed);
      const snapshot = await log.snapshot(to);
      expect(snapshot.map(textOf)).toEqual(['m1', 'a2', 't1']);
      expect(snapshot.map(({ key }) => key)).toEqual(['MSFT', 'AAPL', 'TSLA']);
      expect((await log.snapshot(to, offset - 1)).map(textOf)).toEqual(['a2', 't1']);
      expect((await log.snapshot(to, offset)).map(textOf)).toEqual(['t1']);
    });

    it('reads one key of a topic: its end, its snapshot, its last publications, and ranges with their proof', async () => {
      await fixture.start({ maxCount: 3 });
      const to = topicOf(fixture.keyed, 'nasdaq');
      const offsets: number[] = [];
      for (let n = 0; n < 4; n++) {
        offsets.push((await fixture.publishKey(to, 'A.B', `a${n}`)).offset);
        await fixture.publishKey(to, 'A', `other${n}`);
      }
      const log = fixture.bus.log(fixture.keyed);
      const name = oneKeyOf(to, parseKey('A.B'));
      const kept = offsets.slice(-3);
      expect(await log.lastOffset(name)).toBe(offsets[3]);
      expect((await log.snapshot(name)).map(textOf)).toEqual(['a3']);
      expect(await log.snapshot(name, offsets[3])).toEqual([]);
      expect((await log.readLast(name, 2)).map(textOf)).toEqual(['a2', 'a3']);
      const range = await log.read(name, { after: kept[1]!, limit: 10 });
      expect(range).toMatchObject({ anchored: true, more: false });
      expect(range.publications.map(textOf)).toEqual(['a3']);
      const none = oneKeyOf(to, parseKey('none'));
      expect([await log.lastOffset(none), await log.snapshot(none), await log.readLast(none, 1)]).toEqual([0, [], []]);
    });

    it('reads what a pattern matches: its end, the latest of each topic, the last publications, and ranges with their proof', async () => {
      await fixture.start({ maxCount: 3 });
      const [a, b, other] = ['p.a', 'p.b', 'q.a'].map((rest) => topicOf(fixture.plain, ...rest.split('.'))) as [Topic, Topic, Topic];
      const offsets: number[] = [];
      for (const [to, text] of [
        [a, 'a0'],
        [b, 'b0'],
        [other, 'x'],
        [a, 'a1'],
        [a, 'a2'],
        [a, 'a3'],
        [b, 'b1'],
      ] as const) {
        offsets.push((await fixture.publish(to, text)).offset);
      }
      const log = fixture.bus.log(fixture.plain);
      const pattern = parseFeedName(`${fixture.plain}.p.*`);
      expect(await log.lastOffset(pattern)).toBe(offsets[6]);
      expect((await log.snapshot(pattern)).map(textOf)).toEqual(['a3', 'b1']);
      expect((await log.snapshot(pattern, offsets[5])).map(textOf)).toEqual(['b1']);
      expect((await log.readLast(pattern, 3)).map(textOf)).toEqual(['a2', 'a3', 'b1']);
      const range = await log.read(pattern, { after: offsets[3]!, limit: 10 });
      expect([range.publications.map(textOf), range.anchored, range.more]).toEqual([['a2', 'a3', 'b1'], true, false]);
      // The first one is gone, so nothing proves that there were no more.
      const whole = await log.read(pattern, { after: 0, limit: 10 });
      expect([whole.publications.map(textOf), whole.anchored]).toEqual([['b0', 'a1', 'a2', 'a3', 'b1'], false]);
    });

    it('reads a snapshot of a topic without keys: its last publication', async () => {
      await fixture.start();
      const offsets = await fixture.publishMany(topicOf(fixture.plain, 'a'), 3);
      const log = fixture.bus.log(fixture.plain);
      expect((await log.snapshot(topicOf(fixture.plain, 'a'))).map(textOf)).toEqual(['2']);
      expect(await log.snapshot(topicOf(fixture.plain, 'a'), offsets[2]!)).toEqual([]);
    });

    it('reads a snapshot of thousands of keys', async () => {
      await fixture.start();
      const to = topicOf(fixture.keyed, 'all');
      await Promise.all(Array.from({ length: 3000 }, (_, i) => fixture.publishKey(to, `k${i % 1500}`, String(i))));
      const snapshot = await fixture.bus.log(fixture.keyed).snapshot(to);
      expect(snapshot.map(textOf)).toEqual(Array.from({ length: 1500 }, (_, i) => String(i + 1500)));
    });

    it('answers hundreds of reads at once', async () => {
      await fixture.start();
      const topics = Array.from({ length: 200 }, (_, i) => topicOf(fixture.plain, `t${i}`));
      await Promise.all(topics.map((each) => fixture.publish(each, each)));
      const results = await Promise.all(topics.map((each) => fixture.bus.log(fixture.plain).read(each, { after: 0, limit: 10 })));
      expect(results.map(({ publications }) => publications.map(textOf))).toEqual(topics.map((each) => [each]));
    });
  });
}
