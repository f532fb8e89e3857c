import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { SlowConsumerPolicy } from '../../src/config/schema.ts';
import { CatchingUp } from '../../src/delivery/catching-up.ts';
import type { HubClient } from '../../src/delivery/hub-client.ts';
import { Memberships } from '../../src/delivery/memberships.ts';
import { MissedReader } from '../../src/delivery/missed-reader.ts';
import { SlowConsumers } from '../../src/delivery/slow-consumers.ts';
import type { Lagging } from '../../src/delivery/subscription.ts';
import { TopicTable } from '../../src/delivery/topic-table.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { VariantOptions } from '../../src/fanout/variant.ts';
import type { HistoryAnswer } from '../../src/link/answers.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import { WorkerMetrics } from '../../src/worker/worker-metrics.ts';
import { EPOCH, feed, JSON_VARIANT, key, recentOf, source } from '../support/fanout-fixtures.ts';
import { namespaceOptions } from '../support/namespace-options.ts';
import { PartJoiner } from '../support/part-joiner.ts';
import { StubReceiver } from '../support/stub-receiver.ts';

const FULL_BYTES = 5000;

/** One connection in some topics; `answer` is the log's, when a ring no longer has what comes next. */
function setUp(answer: () => Promise<HistoryAnswer> = () => Promise.reject(new Error('the log is not asked here')), nativeMembersMin = 1) {
  const { config } = loadConfig({ env: {}, flags: {} });
  const memberships = new Memberships(250, nativeMembersMin);
  const bugs: Error[] = [];
  const clock = { tick: 1 };
  const metrics = new WorkerMetrics(0).delivery;
  const hub = { read: answer } as unknown as HubClient;
  const slowConsumers = new SlowConsumers({
    config,
    topics: new TopicTable(config, createInProcessLink().workerEnd, metrics),
    memberships,
    catchingUp: new CatchingUp({ config, memberships, hub, missedReader: new MissedReader(hub, recentOf()), metrics }),
    metrics,
    tick: () => clock.tick,
    onBug: (error) => bugs.push(error),
  });
  const stub = new StubReceiver();

  function join(
    topic: string,
    slowConsumer: SlowConsumerPolicy = 'replay',
    options: Partial<Parameters<typeof namespaceOptions>[0]> = {},
    variant: VariantOptions = JSON_VARIANT,
  ) {
    const made = feed({
      topic,
      namespace: namespaceOptions({ slowConsumer, ...options }),
      limits: { itemsPerTopicMax: 4 },
    });
    memberships.listen(stub.receiver, memberships.enter(stub.receiver, made, { variant, echo: true }, 0));
    return made;
  }

  /** What is pushed is flushed to the native topic in this loop turn. */
  function flush(made: TopicFeed, ...offsets: number[]): void {
    for (const offset of offsets) made.push(source(offset));
    for (const variant of made.variants) {
      for (const shard of variant.shards) shard.advance(made.ring.next, made.ring.headOffset, clock.tick);
    }
  }

  /** The socket is full, and uWS has dropped what was flushed in this turn. */
  function drop(): void {
    stub.socket.bufferedBytes = FULL_BYTES;
    slowConsumers.dropped(stub.receiver);
    slowConsumers.leaveMarked();
  }

  async function drain(): Promise<void> {
    stub.socket.bufferedBytes = 0;
    slowConsumers.drained(stub.receiver);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(bugs).toEqual([]);
  }

  return { slowConsumers, stub, clock, join, flush, drop, drain };
}

const batchesOf = (stub: StubReceiver) => stub.ofType('batch').map(({ prev, items }) => [prev, items.map(([offset]) => offset)]);

describe('a connection whose socket dropped something', () => {
  it('gets everything of that turn again when it has drained, and rejoins', async () => {
    const { stub, join, flush, drop, drain } = setUp();
    const made = join('scores.a');
    flush(made, 1, 2);
    drop();
    expect([...stub.receiver.subscriptions.values()]).toMatchObject([{ kind: 'lagging' }]);
    made.push(source(3));
    await drain();
    expect(batchesOf(stub)).toEqual([[0, [1, 2, 3]]]);
    expect([...stub.receiver.subscriptions.values()]).toMatchObject([{ kind: 'member' }]);
    expect(stub.receiver.lag).toBeUndefined();
  });

  describe('and that puts large items together from parts', () => {
    /** A large item, and a small one behind it, are missed. Every send fills the socket. */
    function setUpLarge() {
      const { slowConsumers, stub, join, flush, drop, drain } = setUp();
      const made = join('ticks.a', 'conflate', { state: 'keyed' }, { ...JSON_VARIANT, parts: true });
      flush(made, 1);
      drop();
      made.push(source(2, { key: key('large'), value: 'x'.repeat(40_000) }));
      made.push(source(3, { key: key('small') }));
      const send = stub.socket.send.bind(stub.socket);
      stub.socket.send = (...frame) => {
        stub.socket.bufferedBytes = FULL_BYTES;
        return send(...frame);
      };
      const offset = () => (stub.receiver.subscriptions.get(made.topic) as Lagging).position.offset;
      return { slowConsumers, stub, made, drain, offset };
    }

    it('gets one part whenever its socket has room, and the item counts with the last one', async () => {
      const { stub, made, drain, offset } = setUpLarge();
      await drain();
      expect(batchesOf(stub)).toEqual([[0, [1]]]);
      const joiner = new PartJoiner();
      for (const part of [1, 2, 3]) {
        await drain();
        expect(stub.ofType('part').map((message) => message.part)).toEqual(Array.from({ length: part }, (_, n) => n + 1));
        expect(stub.sent).toHaveLength(1 + part);
        expect(offset()).toBe(part < 3 ? 1 : 2);
      }
      const whole = stub.ofType('part').map((part) => joiner.add(part));
      expect(whole).toMatchObject([undefined, undefined, { type: 'batch', prev: 1, items: [[2, 'large', 'x'.repeat(40_000)]] }]);
      await drain();
      expect(batchesOf(stub).slice(1)).toEqual([[2, [3]]]);
      await drain();
      expect(stub.receiver.subscriptions.get(made.topic)).toMatchObject({ kind: 'member' });
    });

    it('gets it in one frame if it does not want parts any more', async () => {
      const { slowConsumers, stub, made, drain, offset } = setUpLarge();
      await drain();
      await drain();
      const lagging = stub.receiver.subscriptions.get(made.topic) as Lagging;
      slowConsumers.change(stub.receiver, lagging, { variant: JSON_VARIANT, echo: true });
      await drain();
      expect(stub.ofType('part')).toHaveLength(1);
      expect(batchesOf(stub).slice(1)).toEqual([[1, [2]]]);
      expect(offset()).toBe(2);
    });

    it('gets nothing more of it after a reset', async () => {
      const { stub, made, drain } = setUpLarge();
      await drain();
      await drain();
      expect(stub.ofType('part')).toHaveLength(1);
      made.reset({ epoch: 'e2', offset: 10, completeFrom: 0, items: [] });
      for (let turns = 0; turns < 4; turns++) await drain();
      expect(stub.ofType('part')).toHaveLength(1);
      expect(stub.ofType('resync')).toMatchObject([{ epoch: 'e2', offset: 10 }]);
    });
  });

  it('gets again only what its full socket did not accept, where it is written to separately', async () => {
    const { slowConsumers, stub, join, clock, drain } = setUp(undefined, 16);
    const [made, other] = [join('scores.a'), join('scores.b')];
    const variant = made.variants[0]!;
    const flushTo = (to: number) => {
      made.push(source(to));
      const parts = [
        { frames: [{ bytes: Buffer.from(JSON.stringify({ type: 'batch', topic: 'scores.a', prev: to - 1, items: [[to]] })) }] },
      ];
      const sent = { frames: 1, bytes: 10, items: 1 };
      stub.receiver.add({
        variant,
        epoch: 'e1',
        from: to - 1,
        fromOffset: to - 1,
        to,
        offset: to,
        parts,
        sent,
        isGiven: false,
        oldestPublishedAtMs: 0,
        oldestEventAtMs: undefined,
      });
      variant.shards[0]!.advance(to, to, clock.tick);
    };
    stub.socket.bytesMax = 150;
    stub.socket.onDropped = () => slowConsumers.dropped(stub.receiver);
    for (let to = 1; to <= 4; to++) flushTo(to);
    stub.receiver.sendFrames();
    expect(batchesOf(stub)).toEqual([
      [0, [1]],
      [1, [2]],
    ]);
    slowConsumers.leaveMarked();
    stub.socket.bytesMax = Number.POSITIVE_INFINITY;
    await drain();
    expect(batchesOf(stub).slice(2)).toEqual([[2, [3, 4]]]);
    expect(stub.receiver.subscriptions.get(other.topic)).toMatchObject({ kind: 'member' });
  });

  it('loses nothing when a second drop is reported before it has left', async () => {
    const { slowConsumers, stub, clock, join, flush, drain } = setUp();
    const made = join('scores.a');
    flush(made, 1);
    slowConsumers.dropped(stub.receiver);
    clock.tick++;
    flush(made, 2);
    slowConsumers.dropped(stub.receiver);
    slowConsumers.leaveMarked();
    await drain();
    expect(batchesOf(stub)).toEqual([[0, [1, 2]]]);
  });

  it('catches up in all its topics, including what arrives while one of them is read from the log', async () => {
    let answerLog: (answer: HistoryAnswer) => void = () => {};
    const fromLog = new Promise<HistoryAnswer>((resolve) => {
      answerLog = resolve;
    });
    const { slowConsumers, stub, join, flush, drop, drain } = setUp(() => fromLog);
    const [quick, slow] = [join('scores.quick'), join('scores.slow')];
    flush(quick, 1);
    flush(slow, 1);
    drop();
    for (let offset = 2; offset <= 8; offset++) slow.push(source(offset));
    await drain();
    quick.push(source(2));
    expect(slowConsumers.count).toBe(1);
    answerLog({ epoch: EPOCH, offset: 8, complete: true, more: false, items: [1, 2, 3, 4, 5, 6, 7, 8].map((offset) => source(offset)) });
    await drain();
    const offsetsOf = (made: TopicFeed) =>
      stub.ofType('batch').flatMap(({ topic, items }) => (topic === made.topic ? items.map(([offset]) => offset) : []));
    expect(offsetsOf(quick)).toEqual([1, 2]);
    expect(offsetsOf(slow)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(stub.receiver.lag).toBeUndefined();
    expect(slowConsumers.count).toBe(0);
  });

  it('gets nothing from the log for a subscription that has ended meanwhile', async () => {
    let answerLog: (answer: HistoryAnswer) => void = () => {};
    const { slowConsumers, stub, join, flush, drop, drain } = setUp(
      () =>
        new Promise((resolve) => {
          answerLog = resolve;
        }),
    );
    const made = join('scores.a');
    flush(made, 1);
    drop();
    for (let offset = 2; offset <= 8; offset++) made.push(source(offset));
    await drain();
    const lagging = stub.receiver.subscriptions.get(made.topic);
    if (lagging?.kind !== 'lagging') throw new Error('it should lag');
    stub.receiver.subscriptions.delete(made.topic);
    slowConsumers.forget(stub.receiver, lagging);
    answerLog({ epoch: EPOCH, offset: 8, complete: true, more: false, items: [source(1)] });
    await drain();
    expect(stub.sent).toEqual([]);
    expect(made.members).toBe(0);
    expect(made.lagging).toBe(0);
  });
});

describe('a history that is replaced while a connection lags', () => {
  it('starts it over: its place in the old ring means nothing in the new one', async () => {
    const { stub, join, flush, drop, drain } = setUp();
    const made = join('scores.a');
    flush(made, 1, 2, 3);
    drop();
    // The new log has as much in its ring as the old one had: only the life tells them apart.
    made.reset({ epoch: 'e2', offset: 0, completeFrom: 0, items: [] });
    for (let offset = 1; offset <= 3; offset++) made.push(source(offset, { value: `new ${offset}` }));
    await drain();
    expect(stub.ofType('resync')).toMatchObject([{ epoch: 'e2', offset: 3, items: [[3, null, 'new 3']] }]);
    expect(stub.ofType('batch')).toEqual([]);
    // It is told once, and goes on in the new life.
    expect([...stub.receiver.subscriptions.values()]).toMatchObject([{ kind: 'member' }]);
    expect(stub.receiver.lag).toBeUndefined();
  });

  it('starts it over too if it was replaced after the drop, before the connection has left', async () => {
    const { slowConsumers, stub, join, flush, drain } = setUp();
    const made = join('scores.a');
    flush(made, 1, 2);
    stub.socket.bufferedBytes = FULL_BYTES;
    slowConsumers.dropped(stub.receiver);
    made.reset({ epoch: 'e2', offset: 2, completeFrom: 0, items: [] });
    slowConsumers.leaveMarked();
    made.push(source(3, { value: 'new 3' }));
    await drain();
    expect(stub.ofType('resync')).toMatchObject([{ epoch: 'e2', offset: 3, items: [[3, null, 'new 3']] }]);
    expect(batchesOf(stub)).toEqual([]);
  });

  it('reports no missed publications of the old epoch', async () => {
    const { stub, join, flush, drop, drain } = setUp();
    const made = join('scores.a', 'skip');
    flush(made, 1, 2);
    drop();
    const lagging = stub.receiver.subscriptions.get(made.topic);
    if (lagging?.kind !== 'lagging') throw new Error('it should lag');
    lagging.skipped = 7;
    made.reset({ epoch: 'e2', offset: 10, completeFrom: 10, items: [] });
    await drain();
    expect(stub.ofType('resync')).toHaveLength(1);
    expect(stub.ofType('lagged')).toEqual([]);
  });
});

describe('a connection that lags in an ephemeral topic', () => {
  it('is told how many are lost, with the policy that replays everything else', async () => {
    const { stub, join, flush, drop, drain } = setUp();
    const made = join('live.a', 'replay', { durable: false });
    flush(made, 0);
    drop();
    for (let n = 0; n < 6; n++) made.push(source(0, { value: n }));
    await drain();
    expect(stub.ofType('lagged')).toMatchObject([{ policy: 'replay', skipped: 3 }]);
    expect(stub.ofType('batch').flatMap(({ items }) => items.map(([, , data]) => data))).toEqual([2, 3, 4, 5]);
  });
});
