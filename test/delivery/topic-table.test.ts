import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Shared } from '../../src/delivery/shares.ts';
import { TopicTable, type Waiting } from '../../src/delivery/topic-table.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import type { ToHub } from '../../src/link/messages.ts';
import { PublicationMessage } from '../../src/link/publication-message.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { JSON_VARIANT, source } from '../support/fanout-fixtures.ts';
import { StubReceiver } from '../support/stub-receiver.ts';

const WORKER_RING_BYTES = 1_048_576;
const OPENINGS_MAX = 256;
const ANN = 'ann';
const BOB = 'bob';

function setUp(settings: Readonly<Record<string, unknown>> = {}) {
  const { config } = loadConfig({
    env: {},
    flags: { 'tuning.recent.bytesMax': WORKER_RING_BYTES, 'tuning.recent.bytesPerTopicMax': WORKER_RING_BYTES, ...settings },
  });
  const { hubEnd, workerEnd } = createInProcessLink();
  const toHub: ToHub[] = [];
  hubEnd.onMessages((messages) => toHub.push(...messages));
  const refused: Shared[] = [];
  return { table: new TopicTable(config, workerEnd, { shareRefused: (shared) => refused.push(shared) }), toHub, refused };
}

const topicOf = (number: number) => `scores.t${number}` as Topic;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function open(table: TopicTable, topicNumber: number): void {
  table.opened({ kind: 'opened', topic: topicOf(topicNumber), topicNumber, epoch: 'e', offset: 0, completeFrom: 0, items: [] });
}

function publish(table: TopicTable, topicNumber: number, offset: number): void {
  const message = new PublicationMessage(topicNumber, offset - 1, source(offset, { value: 'x'.repeat(10_000) }));
  table.feedOf(message.topicNumber)?.push(message.item);
}

const ringBytes = (table: TopicTable) => [...table.feeds()].reduce((sum, feed) => sum + feed.ring.bytes, 0);

describe('TopicTable', () => {
  it('asks the hub once for a topic, however many subscribe, and answers all of them', async () => {
    const { table, toHub } = setUp();
    const waiting = [table.acquire(topicOf(1), undefined, ANN), table.acquire(topicOf(1), undefined, ANN)];
    await turn();
    expect(toHub).toEqual([{ kind: 'open', topic: topicOf(1) }]);
    open(table, 1);
    const [first, second] = await Promise.all(waiting);
    expect(first).toBe(second);
    expect(await table.acquire(topicOf(1), undefined, ANN)).toBe(first);
  });

  it('opens a topic with the position of the client that wants it', async () => {
    const { table, toHub } = setUp();
    const since = { epoch: 'e', offset: 7 };
    void table.acquire(topicOf(1), since, ANN);
    await turn();
    expect(toHub).toEqual([{ kind: 'open', topic: topicOf(1), since }]);
  });

  it('asks the hub for so many topics of a namespace at once, and for the others when those are answered, in order', async () => {
    const { table, toHub } = setUp();
    const waiting = Array.from({ length: OPENINGS_MAX + 3 }, (_, number) => table.acquire(topicOf(number), undefined, ANN));
    await turn();
    expect(toHub).toHaveLength(OPENINGS_MAX);
    // Not to be kept waiting by those.
    void table.acquire('ticks.other' as Topic, undefined, ANN);
    void table.acquire(topicOf(OPENINGS_MAX), undefined, ANN);
    await turn();
    expect(toHub.splice(0).at(-1)).toEqual({ kind: 'open', topic: 'ticks.other' });
    open(table, 7);
    open(table, 7);
    table.openFailed({ kind: 'openFailed', topic: topicOf(0), code: 'busy', message: 'full' });
    await expect(waiting[0]).rejects.toMatchObject({ code: 'busy' });
    await turn();
    expect(toHub).toEqual([topicOf(OPENINGS_MAX), topicOf(OPENINGS_MAX + 1)].map((topic) => ({ kind: 'open', topic })));
    for (let number = 1; number <= OPENINGS_MAX + 2; number++) open(table, number);
    expect((await Promise.all(waiting.slice(1))).map(({ topic }) => topic).at(-1)).toBe(topicOf(OPENINGS_MAX + 2));
  });

  it('has as many open at once as tuning.hub.topicOpeningsMax, and then opens one of each owner in turn', async () => {
    const { table, toHub } = setUp({ 'tuning.hub.topicOpeningsMax': 2 });
    for (let number = 0; number < 6; number++) void table.acquire(topicOf(number), undefined, ANN);
    for (const number of [10, 11]) void table.acquire(topicOf(number), undefined, BOB);
    await turn();
    const asked = () => toHub.map((message) => Number(/\d+$/.exec((message as { topic: string }).topic)?.[0]));
    expect(asked()).toEqual([0, 1]);
    for (const number of [0, 1, 2, 10, 3, 11]) open(table, number);
    await turn();
    expect(asked()).toEqual([0, 1, 2, 10, 3, 11, 4, 5]);
  });

  it('does not ask the hub for a topic that all who waited for it have given up, and gives its share back', async () => {
    const { table, toHub } = setUp({
      'tuning.hub.topicOpeningsMax': 1,
      'limits.topicsPerNodeMax': 2,
      'limits.sharePercentMax': 100,
      workers: 0,
    });
    const [first, second, third]: [Waiting, Waiting, Waiting] = [{}, {}, {}];
    const asked = table.acquire(topicOf(1), undefined, ANN, first);
    const waiting = [second, third].map((one) => table.acquire(topicOf(2), undefined, ANN, one));
    second.giveUp?.();
    await expect(waiting[0]).rejects.toMatchObject({ code: 'not_subscribed' });
    await expect(table.acquire(topicOf(3), undefined, ANN)).rejects.toMatchObject({ code: 'busy' });
    third.giveUp?.();
    third.giveUp?.();
    await expect(waiting[1]).rejects.toMatchObject({ code: 'not_subscribed' });
    void table.acquire(topicOf(3), undefined, ANN);
    // The hub has been asked for this one, so its answer is awaited.
    first.giveUp?.();
    open(table, 1);
    table.release(await asked);
    await turn();
    expect(toHub).toEqual([
      { kind: 'open', topic: topicOf(1) },
      { kind: 'open', topic: topicOf(3) },
      { kind: 'close', topic: topicOf(1) },
    ]);
  });

  it('keeps its feed when the hub reports again that the topic is open', async () => {
    const { table } = setUp();
    const waiting = table.acquire(topicOf(1), undefined, ANN);
    open(table, 1);
    const feed = await waiting;
    publish(table, 1, 1);
    open(table, 1);
    expect(table.get(topicOf(1))).toBe(feed);
    expect(feed.ring.headOffset).toBe(1);
  });

  it('keeps a topic for those that are joining when the last of the others leaves', async () => {
    const { table } = setUp();
    const waiting = [table.acquire(topicOf(1), undefined, ANN), table.acquire(topicOf(1), undefined, ANN)];
    open(table, 1);
    const [first, second] = await Promise.all(waiting);
    table.release(first!);
    expect(table.get(topicOf(1))).toBe(second);
    table.release(second!);
    expect(table.get(topicOf(1))).toBeUndefined();
  });

  it('tells all subscribers when it cannot be opened', async () => {
    const { table } = setUp();
    const waiting = [table.acquire(topicOf(1), undefined, ANN), table.acquire(topicOf(1), undefined, ANN)];
    table.openFailed({ kind: 'openFailed', topic: topicOf(1), code: 'busy', message: 'full' });
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'busy', message: 'full' });
  });

  it('closes a topic when its last subscriber leaves, and drops publications that arrive afterwards', async () => {
    const { table, toHub } = setUp();
    const waiting = table.acquire(topicOf(1), undefined, ANN);
    open(table, 1);
    table.release(await waiting);
    await turn();
    expect(toHub.at(-1)).toEqual({ kind: 'close', topic: topicOf(1) });
    expect(table.size).toBe(0);
    expect(table.feedOf(1)).toBeUndefined();
  });

  it('keeps no more bytes of recent items for all topics than tuning.recent.bytesMax', () => {
    const { table } = setUp();
    for (let number = 1; number <= 10; number++) open(table, number);
    for (let offset = 1; offset <= 30; offset++) for (let number = 1; number <= 10; number++) publish(table, number, offset);
    // 3 MB came, none of it past a bound of its own topic.
    expect(ringBytes(table)).toBeLessThanOrEqual(WORKER_RING_BYTES);
    expect(ringBytes(table)).toBeGreaterThan(WORKER_RING_BYTES - 12_000);
    for (const feed of table.feeds()) expect(feed.ring.next - feed.ring.first).toBeGreaterThanOrEqual(10);
  });

  it('makes the bytes of a closed topic available to the others', async () => {
    const { table } = setUp();
    const waiting = table.acquire(topicOf(1), undefined, ANN);
    open(table, 1);
    open(table, 2);
    for (let offset = 1; offset <= 200; offset++) publish(table, 1, offset);
    publish(table, 2, 1);
    table.release(await waiting);
    for (let offset = 2; offset <= 100; offset++) publish(table, 2, offset);
    expect(table.get(topicOf(2))?.ring.first).toBe(0);
  });
});

describe('the share of an owner of the open topics', () => {
  const join = (feed: TopicFeed, owner: string) => {
    const { receiver } = new StubReceiver(`c-${owner}`);
    receiver.owner = owner;
    return { receiver, ...feed.join(JSON_VARIANT, receiver) };
  };

  /** Opened by the owner, and followed by a connection of it. */
  async function follow(table: TopicTable, number: number, owner: string) {
    const waiting = table.acquire(topicOf(number), undefined, owner);
    open(table, number);
    const feed = await waiting;
    const member = join(feed, owner);
    table.release(feed);
    const leave = () => {
      feed.leave(member.variant, member.shard, member.receiver);
      table.left(feed, owner);
    };
    return { feed, leave };
  }

  it('is sharePercentMax of topicsPerNodeMax, also while they are being opened; others have theirs', async () => {
    const { table, toHub, refused } = setUp({ 'limits.topicsPerNodeMax': 8, 'limits.sharePercentMax': 50, workers: 0 });
    const { leave } = await follow(table, 0, ANN);
    for (const number of [1, 2]) await follow(table, number, ANN);
    void table.acquire(topicOf(3), undefined, ANN);
    await expect(table.acquire(topicOf(4), undefined, ANN)).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining('4 topics'),
    });
    expect(refused).toEqual(['topics']);
    // What somebody has opened costs no share.
    await follow(table, 5, BOB);
    table.release(await table.acquire(topicOf(5), undefined, ANN));
    leave();
    await follow(table, 4, ANN);
    await turn();
    expect(toHub.filter(({ kind }) => kind === 'open')).toHaveLength(6);
  });

  it('is given back when a topic cannot be opened', async () => {
    const { table } = setUp({ 'limits.topicsPerNodeMax': 1, workers: 0 });
    for (let number = 0; number < 3; number++) {
      const waiting = table.acquire(topicOf(number), undefined, ANN);
      table.openFailed({ kind: 'openFailed', topic: topicOf(number), code: 'unavailable', message: 'no' });
      await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    }
  });

  it('is divided by the workers, rounded up', async () => {
    const { table } = setUp({ 'limits.topicsPerNodeMax': 9, 'limits.sharePercentMax': 100, workers: 2 });
    for (let number = 0; number < 5; number++) void table.acquire(topicOf(number), undefined, ANN);
    await expect(table.acquire(topicOf(5), undefined, ANN)).rejects.toMatchObject({ code: 'busy' });
  });

  it('has those of patterns too, of the node and of the namespace', async () => {
    const { table, refused } = setUp({
      'limits.patternsPerNodeMax': 3,
      'limits.sharePercentMax': 100,
      workers: 0,
      namespaces: { scores: { wildcards: true, patternsMax: 2 }, ticks: { wildcards: true } },
    });
    const acquire = (pattern: string) => table.acquire(pattern as Topic, undefined, ANN);
    void acquire('scores.a.*');
    void acquire('scores.b.*');
    await expect(acquire('scores.c.*')).rejects.toMatchObject({
      code: 'too_many_patterns',
      message: expect.stringContaining('2 patterns'),
    });
    void acquire('ticks.a.*');
    await expect(acquire('ticks.b.*')).rejects.toMatchObject({ code: 'too_many_patterns', message: expect.stringContaining('3 patterns') });
    void acquire('ticks.a');
    expect(refused).toEqual(['patterns', 'patterns']);
  });

  it('counts a topic for one of those who follow it: when who opened it leaves, for another one', async () => {
    const { table } = setUp({ 'limits.topicsPerNodeMax': 1, workers: 0 });
    const { feed, leave } = await follow(table, 1, ANN);
    join(feed, BOB);
    leave();
    await expect(table.acquire(topicOf(2), undefined, BOB)).rejects.toMatchObject({ code: 'busy' });
    const second = await follow(table, 2, ANN);
    second.leave();
    void table.acquire(topicOf(3), undefined, ANN);
  });
});
