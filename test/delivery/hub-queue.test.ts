import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HubQueue } from '../../src/delivery/hub-queue.ts';
import { type LinkItem, PublicationMessage, type ToWorker } from '../../src/link/messages.ts';
import { feed as feedOf, groupOf, MSGPACK, source } from '../support/fanout-fixtures.ts';

const publication = (offset: number) => new PublicationMessage(1, offset - 1, source(offset) as LinkItem);
const publications = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => publication(from + i));
const question = (requestId: number): ToWorker => ({ kind: 'metricsWanted', requestId });

/** A queue over one feed with one member; what it was given, in order. */
function setUp({ itemsMax = 16, holdMaxMs = 1000, holdFromBytes = 0 } = {}) {
  const feed = feedOf({ limits: { itemsPerTopicMax: itemsMax } });
  const { shard } = feed.join(MSGPACK, groupOf());
  const log: (number | string)[] = [];
  const link = {
    paused: false,
    pause: () => {
      link.paused = true;
    },
    resume: () => {
      link.paused = false;
    },
  };
  let lost = 0;
  const queue = new HubQueue({
    link,
    holdMaxMs,
    holdFromBytes,
    publish: ({ prev, item }) => {
      log.push(item.offset);
      feed.push(item, prev);
      lost = Math.max(lost, feed.ring.first - shard.cursor);
      return feed;
    },
    other: (message) => log.push(message.kind),
    wake: () => undefined,
    onHold: () => log.push('hold'),
  });
  return {
    queue,
    feed,
    link,
    log,
    get lost() {
      return lost;
    },
    /** The member is given what the ring has, up to so many. */
    flush: (count = Number.POSITIVE_INFINITY) => {
      const to = Math.min(feed.ring.next, shard.cursor + count);
      shard.advance(to, to, 0);
    },
  };
}

describe('HubQueue', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('accepts publications while the ring has room', () => {
    const { queue, link, log } = setUp();
    queue.receive([...publications(1, 7), question(1)]);
    expect(log).toEqual([1, 2, 3, 4, 5, 6, 7, 'metricsWanted']);
    expect(link.paused).toBe(false);
  });

  it('waits when half the ring waits for members, and keeps the order of everything behind it', () => {
    const { queue, link, log, flush } = setUp();
    queue.receive([...publications(1, 12), question(1)]);
    queue.receive([question(2), publication(13)]);
    expect(log).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 'hold']);
    expect(link.paused).toBe(true);
    vi.advanceTimersByTime(20);
    expect(log).toHaveLength(9);
    flush();
    vi.advanceTimersByTime(20);
    expect(log.slice(9)).toEqual([9, 10, 11, 12, 'metricsWanted', 'metricsWanted', 13]);
    expect(link.paused).toBe(false);
  });

  it('continues without room after its maximum wait, and waits again later, for a tenth of the time', () => {
    const { queue, link, log, feed } = setUp({ holdMaxMs: 100 });
    queue.receive(publications(1, 30));
    vi.advanceTimersByTime(99);
    expect(log.at(-1)).toBe('hold');
    vi.advanceTimersByTime(20);
    expect(log.at(-1)).toBe(30);
    expect(link.paused).toBe(false);
    expect(feed.ring.first).toBe(14);
    vi.advanceTimersByTime(500);
    queue.receive(publications(31, 40));
    expect(log.slice(-2)).toEqual([31, 'hold']);
    vi.advanceTimersByTime(70);
    expect(log.at(-1)).toBe(40);
  });

  it('never waits for a ring with few bytes', () => {
    const { queue, log, feed } = setUp({ holdFromBytes: 10_000 });
    queue.receive(publications(1, 100));
    expect(log).toHaveLength(100);
    expect(feed.ring.bytes).toBeLessThan(10_000);
  });

  it('never waits for members of rate classes, because they need only the latest of each key', () => {
    const { queue, log, feed, flush } = setUp();
    feed.join({ ...MSGPACK, rateHz: 1 }, groupOf());
    for (let offset = 1; offset <= 100; offset++) {
      queue.receive([publication(offset)]);
      flush();
    }
    expect(log).not.toContain('hold');
  });

  it('evicts nothing before all members have it, and loses nothing, whatever the sizes and the pace', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.record({ flush: fc.integer({ min: 1, max: 40 }) })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 4, max: 64 }), (all, itemsMax) => {
        const parts = setUp({ itemsMax, holdMaxMs: 1_000_000 });
        let published = 0;
        for (const step of all) {
          if (typeof step !== 'number') parts.flush(step.flush);
          else if (!parts.link.paused) {
            parts.queue.receive(publications(published + 1, published + step));
            published += step;
          }
          vi.advanceTimersByTime(2);
        }
        for (let left = 0; parts.link.paused && left < 2000; left++) {
          parts.flush();
          vi.advanceTimersByTime(2);
        }
        expect(parts.log.filter((entry) => typeof entry === 'number')).toEqual(Array.from({ length: published }, (_, i) => i + 1));
        expect(parts.lost).toBe(0);
      }),
    );
  });
});
