import { describe, expect, it } from 'vitest';
import type { ImageStore } from '../../src/bus/image-store.ts';
import { textOf } from '../support/publications.ts';
import { until } from '../support/until.ts';
import { type BusFixture, topicOf } from './bus-fixture.ts';

export function describeImages(fixture: BusFixture): void {
  describe('images of documents', () => {
    const images = () => fixture.bus.log(fixture.documents).images as ImageStore;

    it('are only in namespaces with documents', async () => {
      await fixture.start();
      expect(fixture.bus.log(fixture.plain).images).toBeUndefined();
      expect(fixture.bus.log(fixture.keyed).images).toBeUndefined();
      expect(images().bytesMax).toBe(1_040_384);
    });

    it('are stored if the last one is still the one that their writer knows', async () => {
      await fixture.start();
      const topic = topicOf(fixture.documents, 'a');
      expect(await images().last(topic)).toBeUndefined();
      const first = (await images().put(topic, Buffer.from('one'), 0)) as number;
      expect(await images().put(topic, Buffer.from('late'), 0)).toBeUndefined();
      const second = (await images().put(topic, Buffer.from('two'), first)) as number;
      expect(second).toBeGreaterThan(first);
      expect(await images().put(topic, Buffer.from('late'), first)).toBeUndefined();
      const last = await images().last(topic);
      expect(last).toMatchObject({ offset: second, storedAtMs: expect.any(Number) });
      expect(Buffer.from(last?.payload ?? []).toString()).toBe('two');
      // Of another topic, although its name begins like this one.
      expect(await images().last(topicOf(fixture.documents, 'a', 'b'))).toBeUndefined();
      expect(await images().put(topicOf(fixture.documents), Buffer.from('three'), 0)).toBeGreaterThan(second);
    });

    it('are in the log, but are no publications', async () => {
      await fixture.start();
      const topic = topicOf(fixture.documents, 'a');
      const log = fixture.bus.log(fixture.documents);
      const received: string[] = [];
      const seen: string[] = [];
      const stop = images().onStored((of, { offset, payload }) => void seen.push(`${of} ${offset} ${Buffer.from(payload)}`));
      const follower = await log.follow(
        0,
        (publication) => void received.push(textOf(publication)),
        () => undefined,
      );
      const { offset } = await fixture.publish(topic, '1');
      const image = (await images().put(topic, Buffer.from('image'), 0)) as number;
      await fixture.publish(topic, '2');
      await until('both', () => received.length === 2 && follower.position === image + 1);
      expect(received).toEqual(['1', '2']);
      expect(seen).toEqual([`${topic} ${image} image`]);
      expect(image).toBe(offset + 1);
      expect((await log.readLast(topic, 10)).map(textOf)).toEqual(['1', '2']);
      expect((await log.read(topic, { after: 0, limit: 10 })).publications.map(textOf)).toEqual(['1', '2']);
      expect(await log.lastOffset(topic)).toBe(image + 1);
      expect(await log.state()).toMatchObject({ lastOffset: image + 1 });
      expect([...fixture.bus.faults()].filter(({ messages }) => messages > 0)).toEqual([]);
      stop();
      await follower.stop();
    });

    it('have parts in keyed topics, which are read where they were stored, and of which followers are not told', async () => {
      await fixture.start();
      const keyed = fixture.bus.log(fixture.keyedDocuments).images as ImageStore;
      const topic = topicOf(fixture.keyedDocuments, 'a');
      const heard: number[] = [];
      const stop = keyed.onStored((_, { offset }) => void heard.push(offset));
      const follower = await fixture.bus.log(fixture.keyedDocuments).follow(
        0,
        () => undefined,
        () => undefined,
      );
      const first = await keyed.putPart(topic, 0, Buffer.from('zero'));
      const second = await keyed.putPart(topic, 1, Buffer.from('one'));
      expect(await keyed.last(topic)).toBeUndefined();
      const image = (await keyed.put(topic, Buffer.from('head'), 0)) as number;
      const payloadAt = async (part: number, offset: number) =>
        Buffer.from((await keyed.partAt(topic, part, offset))?.payload ?? []).toString();
      expect(await payloadAt(0, first)).toBe('zero');
      expect(await payloadAt(1, second)).toBe('one');
      // Nothing else is a part: the other part, the image itself, or what is not stored yet.
      for (const [part, offset] of [
        [0, second],
        [0, image],
        [0, image + 1],
      ] as const)
        expect(await payloadAt(part, offset)).toBe('');
      expect(await keyed.last(topic)).toMatchObject({ offset: image });
      // Another topic, whose name goes on where this one has its parts.
      expect(await keyed.last(topicOf(fixture.keyedDocuments, 'a', '0'))).toBeUndefined();
      expect(await keyed.put(topic, Buffer.from('late'), 0)).toBeUndefined();
      await until('all to be passed', () => follower.position === image);
      expect(heard).toEqual([image]);
      stop();
      await follower.stop();
    });

    it('are removed by age as publications are', async () => {
      await fixture.start({ maxAgeMs: 1000 });
      const topic = topicOf(fixture.documents, 'a');
      await images().put(topic, Buffer.from('one'), 0);
      await fixture.passTime(1500);
      await until('it to be removed', async () => (await images().last(topic)) === undefined);
      expect(await images().put(topic, Buffer.from('two'), 0)).toBeGreaterThan(0);
    });
  });
}
