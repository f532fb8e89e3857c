import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HubQueue } from '../../src/delivery/hub-queue.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import { type LinkItem, PublicationMessage } from '../../src/link/publication-message.ts';
import { unpackMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { feed as feedOf, join, key, MSGPACK, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

const publication = (offset: number, topicNumber = 1) => new PublicationMessage(topicNumber, offset - 1, source(offset) as LinkItem);
const publications = (from: number, to: number, topicNumber = 1) =>
  Array.from({ length: to - from + 1 }, (_, i) => publication(from + i, topicNumber));
const question = (requestId: number): ToWorker => ({ kind: 'metricsWanted', requestId });

interface Settings {
  readonly itemsMax?: number;
  readonly topicQueueMaxMs?: number;
  readonly topicQueueFromBytes?: number;
  readonly topicQueueItemsMax?: number;
  readonly topicQueueBytesMax?: number;
  /** The members follow what changes. */
  readonly delta?: boolean;
}

/** A queue over two feeds with a member each; what was handed on, in order: offsets of feed 1, `2:` and offsets of feed 2, kinds of other messages. */
function setUp({
  itemsMax = 16,
  topicQueueMaxMs = 1000,
  topicQueueFromBytes = 0,
  topicQueueItemsMax = 1_000_000,
  topicQueueBytesMax = 1e9,
  delta = false,
}: Settings = {}) {
  const log: (number | string)[] = [];
  const woken: TopicFeed[] = [];
  let lost = 0;
  const topics = [1, 2].map((number) => {
    const namespace = namespaceOptions(delta ? { state: 'keyed', delta: 'fields' } : {});
    const feed = feedOf({ topic: `scores.t${number}`, namespace, limits: { itemsPerTopicMax: itemsMax } });
    const { shard } = join(feed, delta ? { ...MSGPACK, delta } : MSGPACK);
    const add = feed.add.bind(feed);
    feed.add = (item) => {
      log.push(number === 1 ? item.offset : `${number}:${item.offset}`);
      add(item);
      lost = Math.max(lost, feed.ring.first - shard.cursor);
    };
    return { feed, shard };
  });
  const [first, second] = topics as [(typeof topics)[0], (typeof topics)[0]];
  const closed = new Set<TopicFeed>();
  const queue = new HubQueue({
    topicQueueMaxMs,
    topicQueueItemsMax,
    topicQueueBytesMax,
    topicQueueFromBytes,
    feedOf: (topicNumber) => topics[topicNumber - 1]?.feed,
    isOpen: (feed) => !closed.has(feed),
    other: (message) => log.push(message.kind),
    wake: (feeds) => woken.push(...feeds),
    onQueued: () => log.push('queued'),
  });
  return {
    queue,
    feed: first.feed,
    other: second.feed,
    log,
    woken,
    closed,
    get lost() {
      return lost;
    },
    /** A pass: members are given what the ring has, up to so many. */
    pass: (count = Number.POSITIVE_INFINITY) => {
      for (const { feed, shard } of topics) {
        const to = Math.min(feed.ring.next, shard.cursor + count);
        shard.advance(to, to, 0);
      }
      queue.passEnded();
    },
  };
}

const HALF = [1, 2, 3, 4, 5, 6, 7, 8];

describe('HubQueue', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('hands on what comes while the ring has room', () => {
    const { queue, log, woken, feed } = setUp();
    queue.receive([...publications(1, 7), question(1)]);
    expect(log).toEqual([1, 2, 3, 4, 5, 6, 7, 'metricsWanted']);
    expect(woken).toEqual([feed]);
  });

  it('lets a topic wait of which half the ring is not given to members, until a pass has made room', () => {
    const { queue, log, woken, feed, pass } = setUp();
    queue.receive(publications(1, 12));
    expect(log).toEqual([...HALF, 'queued']);
    expect(queue.waiting.items).toBe(4);
    queue.receive([publication(13)]);
    expect(log).toHaveLength(9);
    woken.length = 0;
    pass();
    expect(log.slice(9)).toEqual([9, 10, 11, 12, 13]);
    expect(woken).toEqual([feed]);
    expect(queue.waiting).toEqual({ items: 0, bytes: 0 });
    queue.receive([publication(14)]);
    expect(log.at(-1)).toBe(14);
  });

  it('hands on no more with each pass than half the ring', () => {
    const { queue, log, pass } = setUp();
    queue.receive(publications(1, 30));
    pass(3);
    expect(log.at(-1)).toBe(11);
    pass(3);
    expect(log.at(-1)).toBe(14);
    pass();
    expect(log.at(-1)).toBe(22);
    pass();
    expect(log.at(-1)).toBe(30);
    expect(log.filter((entry) => entry === 'queued')).toHaveLength(1);
  });

  it('holds up no other topic, and no other message', () => {
    const { queue, log, other, woken } = setUp();
    queue.receive([...publications(1, 12), question(1), ...publications(1, 3, 2), publication(13), question(2)]);
    expect(log).toEqual([...HALF, 'queued', 'metricsWanted', '2:1', '2:2', '2:3', 'metricsWanted']);
    expect(woken).toContain(other);
    expect(queue.waiting.items).toBe(5);
  });

  it('lets several topics wait, each for itself', () => {
    const { queue, log, feed, other, pass } = setUp();
    queue.receive(publications(1, 12));
    queue.receive(publications(1, 12, 2));
    expect(queue.waiting.items).toBe(8);
    pass();
    expect([feed.ring.headOffset, other.ring.headOffset]).toEqual([12, 12]);
    expect(log.filter((entry) => entry === 'queued')).toHaveLength(2);
  });

  it('does not let a topic wait for a pass that nothing is left for', () => {
    const { queue, log, feed } = setUp();
    queue.receive(publications(1, 8));
    expect(log.at(-1)).toBe('queued');
    // Its members have left meanwhile.
    for (const variant of feed.variants) {
      for (const shard of variant.shards) for (const recipient of shard.recipients) feed.leave(variant, shard, recipient);
    }
    queue.receive(publications(9, 10));
    expect(log.slice(-2)).toEqual([9, 10]);
  });

  it('goes on without room when a topic has waited as long as it may; and lets it wait again later, a tenth of the time', () => {
    const { queue, log, feed, woken } = setUp({ topicQueueMaxMs: 100 });
    queue.receive(publications(1, 30));
    woken.length = 0;
    vi.advanceTimersByTime(99);
    expect(log.at(-1)).toBe('queued');
    vi.advanceTimersByTime(1);
    expect(log.at(-1)).toBe(30);
    expect(woken).toEqual([feed]);
    expect(feed.ring.first).toBe(14);
    // What it may wait is used up.
    queue.receive(publications(31, 35));
    expect(log.at(-1)).toBe(35);
    vi.advanceTimersByTime(500);
    queue.receive(publications(36, 40));
    expect(log.slice(-2)).toEqual([36, 'queued']);
    vi.advanceTimersByTime(49);
    expect(log.at(-1)).toBe('queued');
    vi.advanceTimersByTime(1);
    expect(log.at(-1)).toBe(40);
  });

  it('lets a topic wait, even if another topic has waited for the maximum time', () => {
    const { queue, log } = setUp({ topicQueueMaxMs: 100 });
    queue.receive(publications(1, 30));
    vi.advanceTimersByTime(100);
    queue.receive(publications(1, 30, 2));
    expect(log.at(-1)).toBe('queued');
  });

  it('never waits where topicQueueMaxMs is 0', () => {
    const { queue, log } = setUp({ topicQueueMaxMs: 0 });
    queue.receive(publications(1, 30));
    expect(log).toHaveLength(30);
  });

  it('never waits for a ring that has little in it', () => {
    const { queue, log, feed } = setUp({ topicQueueFromBytes: 10_000 });
    queue.receive(publications(1, 100));
    expect(log).toHaveLength(100);
    expect(feed.ring.bytes).toBeLessThan(10_000);
  });

  it('never waits for members of rate classes: they need the latest of each key only', () => {
    const { queue, log, feed, pass } = setUp();
    join(feed, { ...MSGPACK, rateHz: 1 });
    for (let offset = 1; offset <= 100; offset++) {
      queue.receive([publication(offset)]);
      pass();
    }
    expect(log).not.toContain('queued');
  });

  it('lets the topic with most waiting overrun its ring at one publication more than may wait', () => {
    const { queue, log, feed, other } = setUp({ topicQueueItemsMax: 10 });
    queue.receive(publications(1, 15));
    queue.receive(publications(1, 11, 2));
    expect(queue.waiting.items).toBe(10);
    expect([feed.ring.headOffset, other.ring.headOffset]).toEqual([8, 8]);
    queue.receive([publication(12, 2)]);
    expect([feed.ring.headOffset, other.ring.headOffset]).toEqual([15, 8]);
    expect(queue.waiting.items).toBe(4);
    expect(log.slice(-7)).toEqual([9, 10, 11, 12, 13, 14, 15]);
  });

  it('does the same at one byte more', () => {
    const bytes = [9, 10, 11, 12].reduce((sum, offset) => sum + feedOf().push(source(offset)).bytes, 0);
    const [exact, less] = [setUp({ topicQueueBytesMax: bytes }), setUp({ topicQueueBytesMax: bytes - 1 })];
    for (const { queue } of [exact, less]) queue.receive(publications(1, 12));
    expect(exact.queue.waiting).toEqual({ items: 4, bytes });
    expect(less.queue.waiting).toEqual({ items: 0, bytes: 0 });
    expect(less.feed.ring.headOffset).toBe(12);
  });

  it('discards the waiting publications of a topic that restarts, and passes on later ones', () => {
    const { queue, log, feed } = setUp();
    queue.receive(publications(1, 12));
    queue.discard(feed);
    feed.reset({ epoch: 'e2', offset: 100, completeFrom: 100, items: [] });
    expect(queue.waiting).toEqual({ items: 0, bytes: 0 });
    queue.receive([publication(101)]);
    expect(log.slice(-2)).toEqual(['queued', 101]);
  });

  it('passes nothing on to a topic that has been closed meanwhile', () => {
    const { queue, log, feed, closed, pass } = setUp();
    queue.receive(publications(1, 12));
    closed.add(feed);
    pass();
    expect(log.at(-1)).toBe('queued');
    expect(queue.waiting).toEqual({ items: 0, bytes: 0 });
  });

  it('forgets a closed topic within a second, also where no pass ends', () => {
    const { queue, feed, closed } = setUp();
    queue.receive(publications(1, 12));
    closed.add(feed);
    queue.forgetOld();
    expect(queue.waiting).toEqual({ items: 0, bytes: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  describe('of what changed', () => {
    const LONG = 'x'.repeat(50);
    const change = (offset: number, places: readonly number[] = []) => {
      const item = source(offset, { key: key('A'), value: { LONG, a: offset } }) as LinkItem;
      const others = places.map((topicNumber) => ({ topicNumber, prev: offset - 1 }));
      return new PublicationMessage(1, offset - 1, item, others);
    };

    it('gives each feed of a publication its own, by the values that the feed knows', () => {
      const { queue, feed, other } = setUp({ delta: true });
      // A topic, and one key of it that is opened later.
      queue.receive([change(1)]);
      queue.receive([change(2, [2])]);
      queue.receive([change(3, [2])]);
      const deltas = [feed, other].map(({ ring }) => ring.last(2).map(({ delta }) => delta && unpackMsgpack(delta.data)));
      expect(deltas).toEqual([
        [{ a: 2 }, { a: 3 }],
        [undefined, { a: 3 }],
      ]);
    });

    it.each([
      ['in passes', (parts: ReturnType<typeof setUp>) => parts.pass()],
      ['when the topic may wait no longer', () => vi.advanceTimersByTime(1000)],
    ])('counts waiting publications with the bytes that they came with: handed on %s', (_, handOn) => {
      const parts = setUp({ delta: true });
      parts.queue.receive(Array.from({ length: 12 }, (_, i) => change(i + 1)));
      expect(parts.queue.waiting.items).toBe(4);
      handOn(parts);
      expect(parts.feed.ring.last(1)[0]?.delta).toBeDefined();
      expect(parts.queue.waiting).toEqual({ items: 0, bytes: 0 });
    });
  });

  it('evicts nothing from the ring before all members have it, and keeps the order, for all sizes and speeds', () => {
    const step = fc.oneof(
      fc.record({ topic: fc.constantFrom(1, 2), count: fc.integer({ min: 1, max: 100 }) }),
      fc.record({ pass: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 4, max: 64 }), (steps, itemsMax) => {
        const parts = setUp({ itemsMax, topicQueueMaxMs: 1_000_000 });
        const published = [0, 0, 0];
        for (const next of steps) {
          if ('pass' in next) parts.pass(next.pass);
          else {
            const { topic, count } = next;
            const from = published[topic]! + 1;
            parts.queue.receive(publications(from, from + count - 1, topic));
            published[topic]! += count;
          }
        }
        for (let left = 0; parts.queue.waiting.items > 0 && left < 5000; left++) parts.pass();
        const handedOn = (topic: number) =>
          parts.log.flatMap((entry) => {
            if (typeof entry === 'number') return topic === 1 ? [entry] : [];
            return entry.startsWith(`${topic}:`) ? [Number(entry.slice(2))] : [];
          });
        for (const topic of [1, 2]) expect(handedOn(topic)).toEqual(Array.from({ length: published[topic]! }, (_, i) => i + 1));
        expect(parts.lost).toBe(0);
        expect(parts.queue.waiting).toEqual({ items: 0, bytes: 0 });
      }),
    );
  });
});
