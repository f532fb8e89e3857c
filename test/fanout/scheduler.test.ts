import { describe, expect, it } from 'vitest';
import type { FanoutSink } from '../../src/fanout/flush.ts';
import { type Group, Groups } from '../../src/fanout/group.ts';
import { Scheduler } from '../../src/fanout/scheduler.ts';
import type { Shard } from '../../src/fanout/shard.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import {
  feed,
  groupOf,
  JSON_VARIANT,
  join,
  joinMany,
  key,
  MSGPACK,
  makeNative,
  type StubRecipient,
  source,
  steadyPace,
} from '../support/fanout-fixtures.ts';
import { decodeBatch } from '../support/fanout-model.ts';
import { namespaceOptions } from '../support/namespace-options.ts';

interface Sent {
  readonly shard: Shard;
  readonly frame: Uint8Array;
  readonly binary: boolean;
}

/** One write to a connection. */
interface Write {
  readonly recipient: StubRecipient;
  readonly frames: readonly Uint8Array[];
}

/** A scheduler whose sink remembers. */
function setUp({ periodMs = 0 } = {}) {
  const sent: Sent[] = [];
  const writes: Write[] = [];
  const flushes: { items: number; oldestPublishedAtMs: number }[] = [];
  const sink: FanoutSink = {
    send: (recipient) => {
      const frames = (recipient as StubRecipient).take();
      if (frames.length > 0) writes.push({ recipient: recipient as StubRecipient, frames });
    },
    publish: (shard, frame, binary) => void sent.push({ shard, frame, binary }),
    give: () => {
      throw new Error('nobody here gets parts');
    },
    isMember: () => false,
    publishExcept: () => {
      throw new Error('every member here wants echo');
    },
    sendTo: () => {
      throw new Error('every member here wants echo');
    },
    flushed: () => undefined,
    skipped: () => new Uint8Array(),
    done: ({ sent: { items }, oldestPublishedAtMs }) => void flushes.push({ items, oldestPublishedAtMs }),
  };
  const scheduler = new Scheduler(
    { frameBytesMax: 15_360, lagThresholdBytes: 65_536, loopGapMinMs: 5, loopGapMaxMs: 10, pacingPeriodMaxMs: 0 },
    sink,
    steadyPace(periodMs),
  );
  return { scheduler, sent, flushes, writes };
}

let nextOffset = 1;
function publish(topicFeed: TopicFeed, more: Parameters<typeof source>[1] = {}): void {
  topicFeed.push(source(nextOffset++, more));
}

const topicsOf = (sent: readonly Sent[]) => sent.map(({ frame, binary }) => decodeBatch(frame, binary).topic);

describe('Scheduler', () => {
  it('visits natively only where every shard that is due has a native topic', () => {
    const { scheduler, sent, writes } = setUp();
    const group = groupOf();
    const [a, b] = [feed({ topic: 'scores.a' }), feed({ topic: 'scores.b' })];
    for (const each of [a, b]) for (let i = 0; i < 200; i++) join(each, MSGPACK, group);
    for (const each of [a, b]) each.variants[0]!.divide();
    const publishBoth = (turn: number) => {
      sent.length = writes.length = 0;
      for (const each of [a, b]) {
        publish(each);
        scheduler.wake(each, turn);
      }
      scheduler.turn(turn, turn);
      return [sent.length, writes.length];
    };
    const shards = [a, b].map(({ variants }) => variants[0]!.shards[0]!);
    expect(publishBoth(100)).toEqual([0, 400]);
    shards[0]!.nativeTopic = 'n1';
    expect(publishBoth(200)).toEqual([0, 400]);
    shards[1]!.nativeTopic = 'n2';
    expect(publishBoth(300)).toEqual([2, 0]);
  });

  it('writes once to each connection, what topics of few members and what topics of many have for it', () => {
    const { scheduler, sent, writes } = setUp();
    const groups = new Groups(2);
    const connections = Array.from({ length: 4 }, () => groups.enter(MSGPACK)).map((group) => join(feed(), MSGPACK, group).recipient);
    const [large, few, fewer] = ['large', 'few', 'fewer'].map((name) => feed({ topic: `scores.${name}` })) as [
      TopicFeed,
      TopicFeed,
      TopicFeed,
    ];
    for (const recipient of connections) large.join(MSGPACK, recipient);
    makeNative(large.variants[0]!);
    for (const recipient of connections.slice(0, 3)) few.join(MSGPACK, recipient);
    fewer.join(MSGPACK, connections[0]!);
    for (const each of [large, few, fewer]) {
      publish(each);
      scheduler.wake(each, 0);
    }
    scheduler.turn(0, 0);
    expect(sent).toEqual([]);
    expect(
      writes.map(({ recipient, frames }) => [connections.indexOf(recipient), frames.map((frame) => decodeBatch(frame, true).topic).sort()]),
    ).toEqual([
      [0, ['scores.few', 'scores.fewer', 'scores.large']],
      [1, ['scores.few', 'scores.large']],
      [2, ['scores.few', 'scores.large']],
      [3, ['scores.large']],
    ]);
    // Only those of the groups with something from few members are written to one by one.
    publish(large);
    publish(fewer);
    for (const each of [large, fewer]) scheduler.wake(each, 10);
    writes.length = 0;
    scheduler.turn(10, 1);
    expect(writes.map(({ frames }) => frames.length)).toEqual([2, 1]);
    expect(sent.map(({ shard }) => shard.group)).toEqual([connections[2]!.group]);
  });

  it('sends an idle topic of few members in its own turn, while a pacing delay or a pass spreads the visits', () => {
    const { scheduler, writes } = setUp({ periodMs: 75 });
    const groups = new Groups(500);
    const large = feed({ topic: 'scores.large' });
    joinMany(large, 4000, { groups });
    const probe = feed({ topic: 'scores.probe' });
    for (let i = 0; i < 5; i++) join(probe, MSGPACK, groups.enter(MSGPACK));
    for (let nowMs = 0; nowMs < 400; nowMs++) {
      const isProbed = nowMs % 50 === 0;
      for (const each of isProbed ? [large, probe] : [large]) {
        publish(each);
        scheduler.wake(each, nowMs);
      }
      writes.length = 0;
      scheduler.turn(nowMs, nowMs);
      expect([nowMs, writes.length]).toEqual([nowMs, isProbed ? 5 : 0]);
    }
  });

  it('joins what topics of few members publish within a pacing period, for each connection', () => {
    const { scheduler, writes } = setUp({ periodMs: 40 });
    const group = groupOf();
    const topics = Array.from({ length: 12 }, (_, number) => feed({ topic: `scores.t${number}` }));
    const { recipient } = join(topics[0]!, MSGPACK, group);
    for (const each of topics.slice(1)) each.join(MSGPACK, recipient);
    // Too many for the express.
    for (const each of topics) for (let i = 0; i < 128; i++) join(each, MSGPACK, groupOf());
    for (let nowMs = 0; nowMs <= 200; nowMs++) {
      for (const each of nowMs % 10 === 5 ? topics.slice((nowMs - 5) / 10, (nowMs + 5) / 10) : []) {
        publish(each);
        scheduler.wake(each, nowMs);
      }
      scheduler.turn(nowMs, nowMs);
    }
    const theirs = writes.filter((write) => write.recipient === recipient).map(({ frames }) => frames.length);
    expect(theirs.reduce((sum, count) => sum + count)).toBe(12);
    expect(theirs.length).toBeLessThanOrEqual(5);
  });

  it('sends an idle publication in the turn of its arrival', () => {
    const { scheduler, sent, flushes } = setUp();
    const topicFeed = feed();
    joinMany(topicFeed, 3);
    publish(topicFeed, { publishedAtMs: 77 });
    scheduler.wake(topicFeed, 100);
    expect(scheduler.turn(100, 0)).toEqual({ more: false, nextDueAtMs: undefined, passEnded: true });
    expect(sent).toHaveLength(1);
    expect(flushes).toEqual([{ items: 1, oldestPublishedAtMs: 77 }]);
    expect(decodeBatch(sent[0]!.frame, true).sentAtMs).toBe(100);
  });

  it('does nothing for a topic without members', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed();
    publish(topicFeed);
    scheduler.wake(topicFeed, 100);
    expect(scheduler.turn(100, 0)).toEqual({ more: false, nextDueAtMs: undefined, passEnded: false });
    expect(sent).toEqual([]);
  });

  it('makes a frame once for all shards at the same cursor', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed();
    joinMany(topicFeed, 8, { groups: new Groups(2) });
    publish(topicFeed);
    scheduler.wake(topicFeed, 0);
    scheduler.turn(0, 0);
    expect(new Set(sent.map(({ shard }) => shard)).size).toBe(4);
    expect(new Set(sent.map(({ frame }) => frame)).size).toBe(1);
  });

  it('queues about a quantum of members per turn, and sends the later ones what has arrived meanwhile, too', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed();
    joinMany(topicFeed, 2000);
    publish(topicFeed);
    scheduler.wake(topicFeed, 0);
    expect(scheduler.turn(0, 0).more).toBe(true);
    // 750 members: 3 of 8 groups.
    expect(sent).toHaveLength(3);
    publish(topicFeed);
    publish(topicFeed);
    scheduler.wake(topicFeed, 7);
    scheduler.turn(7, 1);
    for (let turn = 2; scheduler.turn(turn * 7, turn).more; turn++);
    // The last five groups get all three in their first frame; the first three are visited again.
    expect(sent.map(({ frame }) => decodeBatch(frame, true).items.length)).toEqual([1, 1, 1, 3, 3, 3, 3, 3, 2, 2, 2]);
    // Groups at the same place share a frame.
    expect(new Set(sent.map(({ frame }) => frame)).size).toBe(3);
  });

  it('serves a small topic in its first round while a large one keeps it busy for ever', () => {
    const { scheduler, sent } = setUp();
    const large = feed({ topic: 'scores.large' });
    const small = feed({ topic: 'scores.small' });
    joinMany(large, 25_000);
    joinMany(small, 3);
    let nowMs = 0;
    for (let turn = 0; turn < 300; turn++, nowMs += 7) {
      publish(large);
      scheduler.wake(large, nowMs);
      const smallWaits = turn % 3 === 0;
      if (smallWaits) {
        publish(small);
        scheduler.wake(small, nowMs);
      }
      sent.length = 0;
      expect(scheduler.turn(nowMs, turn).more).toBe(true);
      expect(topicsOf(sent).filter((topic) => topic === 'scores.small')).toHaveLength(smallWaits ? 1 : 0);
      expect(sent.length).toBeGreaterThan(0);
    }
  });

  it('serves topics of the same size equally', () => {
    const { scheduler, sent } = setUp();
    const feeds = ['a', 'b', 'c', 'd'].map((name) => feed({ topic: `scores.${name}` }));
    for (const topicFeed of feeds) joinMany(topicFeed, 5000);
    for (let turn = 0; turn < 200; turn++) {
      for (const topicFeed of feeds) {
        publish(topicFeed);
        scheduler.wake(topicFeed, turn * 7);
      }
      scheduler.turn(turn * 7, turn);
    }
    const counts = feeds.map(({ topic }) => topicsOf(sent).filter((sentTopic) => sentTopic === topic).length);
    // Each pass visits the twenty groups of each; the last one may be under way.
    expect(Math.min(...counts)).toBeGreaterThan(20);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(20);
  });

  it('publishes small topics last in a turn that a large one fills: uWS sends the last first', () => {
    const { scheduler, sent } = setUp();
    const groups = new Groups(250);
    const sizes = [5000, 5, 100];
    const feeds = sizes.map((members) => {
      const topicFeed = feed({ topic: `scores.of-${members}` });
      joinMany(topicFeed, members, { groups });
      publish(topicFeed);
      return topicFeed;
    });
    for (const each of feeds) scheduler.wake(each, 0);
    scheduler.turn(0, 0);
    expect(topicsOf(sent)).toEqual([...Array.from({ length: sent.length - 2 }, () => 'scores.of-5000'), 'scores.of-5', 'scores.of-100']);
    expect(sent.length).toBeGreaterThan(2);
  });

  it('collects a batch for the flush interval, from the first publication on', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed({ namespace: namespaceOptions({ flushIntervalMs: 50 }) });
    joinMany(topicFeed, 3);
    publish(topicFeed);
    scheduler.wake(topicFeed, 1000);
    expect(scheduler.turn(1000, 0)).toEqual({ more: false, nextDueAtMs: 1050, passEnded: false });
    publish(topicFeed);
    scheduler.wake(topicFeed, 1049);
    expect(scheduler.turn(1049, 1)).toEqual({ more: false, nextDueAtMs: 1050, passEnded: false });
    expect(sent).toEqual([]);
    expect(scheduler.turn(1050, 2)).toEqual({ more: false, nextDueAtMs: undefined, passEnded: true });
    expect(decodeBatch(sent[0]!.frame, true).items).toHaveLength(2);
  });

  it('serves a rate class at its rate: the first publication immediately, then the latest of each key', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed({ namespace: namespaceOptions({ state: 'keyed' }) });
    joinMany(topicFeed, 3, { options: { ...MSGPACK, rateHz: 5 } });
    const sentAtMs: number[] = [];
    for (let nowMs = 0; nowMs <= 2000; nowMs += 10) {
      publish(topicFeed, { key: key(nowMs % 20 === 0 ? 'a' : 'b') });
      scheduler.wake(topicFeed, nowMs);
      sent.length = 0;
      scheduler.turn(nowMs, nowMs);
      for (const { frame } of sent) {
        sentAtMs.push(nowMs);
        const batch = decodeBatch(frame, true);
        if (nowMs > 0) expect([batch.items.map(([, itemKey]) => itemKey).sort(), batch.conflated]).toEqual([['a', 'b'], 18]);
      }
    }
    expect(sentAtMs).toEqual([0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000]);
  });

  it('serves each variant as its members want it, side by side', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed();
    for (const options of [MSGPACK, JSON_VARIANT, { ...MSGPACK, deflate: true }, { ...JSON_VARIANT, rateHz: 1 }])
      makeNative(join(topicFeed, options).variant);
    publish(topicFeed, { value: 'x'.repeat(2000) });
    scheduler.wake(topicFeed, 0);
    scheduler.turn(0, 0);
    expect(sent.map(({ binary }) => binary).sort()).toEqual([false, false, true, true]);
    const [smaller, larger] = sent
      .filter(({ binary }) => binary)
      .map(({ frame }) => frame.length)
      .sort((a, b) => a - b);
    expect(smaller).toBeLessThan(larger! / 10);
    for (const { frame, binary } of sent) expect(decodeBatch(frame, binary).items[0]?.[2]).toBe('x'.repeat(2000));
  });

  it('compresses a frame once for all shards', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed();
    joinMany(topicFeed, 5, { options: { ...MSGPACK, deflate: true }, groups: new Groups(1) });
    publish(topicFeed, { value: 'x'.repeat(2000) });
    scheduler.wake(topicFeed, 0);
    scheduler.turn(0, 0);
    expect(sent).toHaveLength(5);
    expect(new Set(sent.map(({ frame }) => frame)).size).toBe(1);
  });

  it('starts passes a pacing period apart, the first at once, and spreads their visits over the period', () => {
    const { scheduler, sent } = setUp({ periodMs: 40 });
    const topicFeed = feed();
    joinMany(topicFeed, 1000);
    const sentAtMs: number[] = [];
    for (let nowMs = 0; nowMs < 100; nowMs++) {
      publish(topicFeed);
      scheduler.wake(topicFeed, nowMs);
      sent.length = 0;
      scheduler.turn(nowMs, nowMs);
      for (const _ of sent) sentAtMs.push(nowMs);
    }
    // Four groups, 9.5 ms apart.
    expect(sentAtMs).toEqual([0, 10, 19, 29, 40, 50, 59, 69, 80, 90, 99]);
  });

  it('visits the groups in the same order in each pass, independent of the order of arrival', () => {
    const { scheduler, sent } = setUp({ periodMs: 40 });
    const groups = new Groups(200);
    const feeds = Array.from({ length: 4 }, (_, number) => feed({ topic: `scores.t${number}` }));
    for (const each of feeds) joinMany(each, 200, { groups });
    const orders: string[][] = [];
    for (let pass = 0; pass < 3; pass++) {
      sent.length = 0;
      for (const each of pass % 2 === 0 ? feeds : [...feeds].reverse()) {
        publish(each);
        scheduler.wake(each, pass * 40);
      }
      for (let ms = 0; ms < 40; ms++) scheduler.turn(pass * 40 + ms, pass * 40 + ms);
      orders.push(topicsOf(sent));
    }
    expect(orders).toEqual([feeds, feeds, feeds].map((each) => each.map(({ topic }) => topic)));
  });

  it('sends a group what arrived since the pass began, also of topics that had nothing then', () => {
    const { scheduler, sent } = setUp({ periodMs: 40 });
    const groups = new Groups(100);
    const [a, b] = [feed({ topic: 'scores.a' }), feed({ topic: 'scores.b' })];
    const connections = Array.from({ length: 200 }, () => groups.enter(MSGPACK));
    for (const each of [a, b]) {
      for (const group of connections) join(each, MSGPACK, group);
      makeNative(each.variants[0]!);
    }
    publish(a);
    scheduler.wake(a, 0);
    scheduler.turn(0, 0);
    publish(b);
    scheduler.wake(b, 1);
    scheduler.turn(20, 1);
    // The second group gets both; the first has to wait for the next pass.
    expect(topicsOf(sent)).toEqual(['scores.a', 'scores.a', 'scores.b']);
    publish(b);
    scheduler.wake(b, 21);
    scheduler.turn(40, 2);
    scheduler.turn(60, 3);
    expect(sent.slice(3).map(({ frame }) => decodeBatch(frame, true).items.length)).toEqual([2, 1]);
  });

  it('visits the groups of small topics in each pass, however long a large topic would take, and that one in turn', () => {
    const { scheduler, sent } = setUp({ periodMs: 75 });
    const groups = new Groups(500);
    const small = feed({ topic: 'scores.small' });
    const large = feed({ topic: 'scores.large' });
    joinMany(small, 2000, { groups });
    joinMany(large, 12_000, { groups });
    const sentAtMs = new Map<Group, number[]>();
    let nowMs = 0;
    for (let tick = 0; nowMs < 3000; tick++) {
      for (const each of [small, large]) {
        publish(each);
        scheduler.wake(each, nowMs);
      }
      sent.length = 0;
      scheduler.turn(nowMs, tick);
      let sends = 0;
      for (const { shard } of sent) {
        sends += shard.members;
        sentAtMs.set(shard.group!, [...(sentAtMs.get(shard.group!) ?? []), nowMs]);
      }
      // 8 µs a send: four groups take 16 ms, twenty-four 96.
      nowMs += Math.max(1, sends * 0.008);
      scheduler.turnEnded(nowMs);
    }
    const longestOf = (topicFeed: TopicFeed) =>
      Math.max(
        ...topicFeed.variants[0]!.shards.flatMap(({ group }) =>
          (sentAtMs.get(group!) ?? []).slice(2).map((at, i, all) => (i === 0 ? 0 : at - all[i - 1]!)),
        ),
      );
    expect(longestOf(small)).toBeLessThan(100);
    expect(longestOf(large)).toBeLessThan(450);
  });

  it('publishes everything that is pending for a group in one turn, for all topics', () => {
    const { scheduler, sent } = setUp();
    const groups = new Groups(100);
    const feeds = Array.from({ length: 50 }, (_, number) => feed({ topic: `scores.t${number}` }));
    // Each connection follows ten of them.
    for (let connection = 0; connection < 1000; connection++) {
      const group = groups.enter(MSGPACK);
      for (let i = 0; i < 10; i++) join(feeds[(connection + 5 * i) % feeds.length]!, MSGPACK, group);
    }
    for (const each of feeds) {
      makeNative(each.variants[0]!);
      publish(each);
      scheduler.wake(each, 0);
    }
    const turnsOf = new Map<Group, Set<number>>();
    let turn = 0;
    for (let more = true; more; turn++) {
      sent.length = 0;
      more = scheduler.turn(turn * 7, turn).more;
      for (const {
        shard: { group },
      } of sent) {
        turnsOf.set(group!, (turnsOf.get(group!) ?? new Set()).add(turn));
      }
    }
    expect(turn).toBeGreaterThan(1);
    expect(turnsOf.size).toBe(10);
    for (const turns of turnsOf.values()) expect(turns.size).toBe(1);
  });

  it('creates each frame of a pass once, for all groups and turns', () => {
    const { scheduler, sent } = setUp();
    const feeds = Array.from({ length: 20 }, (_, number) => feed({ topic: `scores.t${number}` }));
    const groups = new Groups(250);
    for (let connection = 0; connection < 5000; connection++) {
      const group = groups.enter(MSGPACK);
      for (const each of feeds) join(each, MSGPACK, group);
    }
    for (const each of feeds) makeNative(each.variants[0]!);
    for (const each of feeds) publish(each);
    for (const each of feeds) scheduler.wake(each, 0);
    for (let turn = 0; scheduler.turn(turn * 7, turn).more; turn++);
    expect(sent).toHaveLength(20 * 20);
    expect(new Set(sent.map(({ frame }) => frame)).size).toBe(20);
  });

  it.each(['native', 'direct'])(
    'counts the creation of frames, too: ten thousand topics with %s shards do not fit into one turn',
    (kind) => {
      const { scheduler, sent, flushes } = setUp();
      const feeds = Array.from({ length: 10_000 }, (_, number) => feed({ topic: `scores.t${number}` }));
      const groups = new Groups(250);
      const connections = Array.from({ length: 200 }, () => groups.enter(MSGPACK));
      for (const [number, each] of feeds.entries()) {
        const { variant } = join(each, MSGPACK, connections[number % connections.length]!);
        if (kind === 'native') makeNative(variant);
      }
      for (const each of feeds) {
        publish(each);
        scheduler.wake(each, 0);
      }
      const total = () => (kind === 'native' ? sent.length : flushes.length);
      let most = 0;
      for (let turn = 0, more = true; more; turn++) {
        const before = total();
        more = scheduler.turn(turn * 7, turn).more;
        most = Math.max(most, total() - before);
      }
      expect(total()).toBe(10_000);
      expect(most).toBeLessThan(5000);
    },
  );

  it('adds members that join while a topic waits for its pass', () => {
    const { scheduler, sent } = setUp({ periodMs: 50 });
    const topicFeed = feed();
    joinMany(topicFeed, 500);
    for (let i = 0; i < 20; i++) publish(topicFeed);
    scheduler.wake(topicFeed, 0);
    scheduler.turn(0, 0);
    publish(topicFeed);
    scheduler.wake(topicFeed, 1);
    scheduler.turn(1, 1);
    const { variant, shard } = join(topicFeed);
    makeNative(variant);
    publish(topicFeed);
    scheduler.wake(topicFeed, 2);
    for (let nowMs = 2; nowMs < 100; nowMs++) scheduler.turn(nowMs, nowMs);
    const theirs = sent.filter((one) => one.shard === shard);
    expect(theirs.map(({ frame }) => decodeBatch(frame, true).items.length)).toEqual([1]);
  });

  it('spreads the groups of a rate class over a part of its period', () => {
    const { scheduler, sent } = setUp();
    const topicFeed = feed();
    joinMany(topicFeed, 1000, { options: { ...MSGPACK, rateHz: 10 }, groups: new Groups(100) });
    publish(topicFeed);
    scheduler.wake(topicFeed, 0);
    const sentAtMs: number[] = [];
    for (let nowMs = 0; nowMs < 100; nowMs++) {
      sent.length = 0;
      scheduler.turn(nowMs, nowMs);
      for (const _ of sent) sentAtMs.push(nowMs);
    }
    expect(sentAtMs).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
  });

  it('flushes fewer members a turn when the loop is slow, and more when it is fast', () => {
    const { scheduler } = setUp();
    const topicFeed = feed();
    joinMany(topicFeed, 20_000, { groups: new Groups(50) });
    const run = (gapMs: number) => {
      let nowMs = 0;
      for (let turn = 0; turn < 100; turn++, nowMs += gapMs) {
        publish(topicFeed);
        scheduler.wake(topicFeed, nowMs);
        scheduler.turn(nowMs, turn);
      }
      return scheduler.quantumMembers;
    };
    const start = scheduler.quantumMembers;
    expect(run(40)).toBeLessThan(start);
    expect(run(1)).toBeGreaterThan(start);
  });
});
