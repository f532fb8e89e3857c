import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Entry, EntryQueue, type LiveEntry } from '../../src/bus/memory/entry-queue.ts';
import { NamespaceStore } from '../../src/bus/memory/namespace-store.ts';
import type { Publication } from '../../src/bus/publication.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { NamespaceOptions } from '../../src/config/schema.ts';
import { parseKey, parseTopic, type Topic } from '../../src/protocol/topic.ts';

const MAX_AGE_MS = 1000;

function optionsOf(keyed: boolean, maxCount: number): NamespaceOptions {
  const namespaces = { scores: { state: keyed ? 'keyed' : 'last', history: { maxCount, maxAgeMs: MAX_AGE_MS } } };
  return loadConfig({ env: {}, flags: { namespaces } }).config.namespaces.scores as NamespaceOptions;
}

/** The same promises in ten lines, by searching all there ever was. */
class Model {
  all: Publication[] = [];
  kept: Publication[] = [];

  append(publication: Publication, maxCount: number): void {
    this.expire(publication.publishedAtMs);
    this.all.push(publication);
    this.kept.push(publication);
    const same = this.kept.filter(({ topic, key }) => topic === publication.topic && key === publication.key);
    if (same.length > maxCount) this.kept = this.kept.filter((each) => each !== same[0]);
  }

  expire(nowMs: number): void {
    while ((this.kept[0]?.publishedAtMs ?? Number.POSITIVE_INFINITY) < nowMs - MAX_AGE_MS) this.kept.shift();
  }

  of(topic: Topic, after: number): Publication[] {
    return this.kept.filter((each) => each.topic === topic && each.offset > after);
  }

  removed(topic: Topic, after: number): Publication[] {
    return this.all.filter((each) => each.topic === topic && each.offset > after && !this.kept.includes(each));
  }

  latest(topic: Topic): Publication[] {
    const byKey = new Map(this.of(topic, 0).map((each) => [each.key, each]));
    return [...byKey.values()].sort((a, b) => a.offset - b.offset);
  }
}

describe('a namespace’s store', () => {
  for (const keyed of [false, true]) {
    it(`answers as the model does, ${keyed ? 'with' : 'without'} keys`, () => {
      const step = fc.record({
        topic: fc.constantFrom('scores.a', 'scores.b'),
        key: fc.constantFrom('k1', 'k2', 'k3'),
        passMs: fc.nat(150),
      });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 5 }), fc.nat(130), (steps, maxCount, after) => {
          const store = new NamespaceStore(optionsOf(keyed, maxCount));
          const model = new Model();
          let nowMs = 0;
          for (const { topic, key, passMs } of steps) {
            nowMs += passMs;
            store.expire(nowMs);
            const publication = store.append({
              topic: parseTopic(topic),
              key: keyed ? parseKey(key) : null,
              publishedAtMs: nowMs,
              payload: Buffer.from('x'),
              payloadKind: 'json',
              origin: undefined,
            });
            model.append(publication, maxCount);
          }
          for (const topic of [parseTopic('scores.a'), parseTopic('scores.b')]) {
            const { publications, anchored } = store.read(topic, { after, limit: 1000 });
            expect(publications).toEqual(model.of(topic, after));
            if (anchored) expect(model.removed(topic, after)).toEqual([]);
            expect(store.lastOffsetOf(topic)).toBe(model.of(topic, 0).at(-1)?.offset ?? 0);
            expect(store.readLast(topic, 3)).toEqual(model.of(topic, 0).slice(-3));
            expect(store.snapshot(topic, after)).toEqual(model.latest(topic).filter(({ offset }) => offset > after));
          }
          expect([...store.after(after)]).toEqual(model.kept.filter(({ offset }) => offset > after));
          for (let atMs = nowMs - 200; atMs <= nowMs + 1; atMs += 40) {
            const at = model.kept.findIndex(({ publishedAtMs }) => publishedAtMs >= atMs);
            const before = at === -1 ? store.lastOffset : (model.kept[at - 1]?.offset ?? store.firstOffset - 1);
            expect(store.offsetBefore(atMs)).toBe(before);
          }
          expect(store.firstOffset).toBe(model.kept[0]?.offset ?? model.all.length + 1);
        }),
        { numRuns: 300 },
      );
    });
  }
});

describe('a queue of entries', () => {
  it('keeps the dead from outnumbering the living, wherever removal strikes', () => {
    const queue = new EntryQueue();
    const entry = (offset: number): LiveEntry => ({ offset, bytes: 1, publication: {} as Publication });
    const first = entry(0);
    queue.push(first);
    // One old entry stays, as a quiet key's does, while others come and go behind it.
    for (let offset = 1; offset <= 10_000; offset++) {
      const passing: Entry = entry(offset);
      queue.push(passing as LiveEntry);
      passing.publication = undefined;
      queue.noteRemoved();
    }
    expect(queue.size).toBe(1);
    expect(queue.placeCount).toBeLessThanOrEqual(40);
    expect(queue.oldest()).toBe(first);
    expect(queue.newest()).toBe(first);
    expect([...queue.after(-1)]).toEqual([first]);
  });
});
