import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { OPENINGS_MAX } from '../../src/delivery/openings.ts';
import { TopicTable } from '../../src/delivery/topic-table.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import { PublicationMessage, type ToHub } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { source } from '../support/fanout-fixtures.ts';

const WORKER_RING_BYTES = 1_048_576;

function setUp() {
  const { config } = loadConfig({
    env: {},
    flags: { 'tuning.recent.bytesMax': WORKER_RING_BYTES, 'tuning.recent.bytesPerTopicMax': WORKER_RING_BYTES },
  });
  const { hubEnd, workerEnd } = createInProcessLink();
  const toHub: ToHub[] = [];
  hubEnd.onMessages((messages) => toHub.push(...messages));
  return { table: new TopicTable(config, workerEnd), toHub };
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
    const waiting = [table.acquire(topicOf(1)), table.acquire(topicOf(1))];
    await turn();
    expect(toHub).toEqual([{ kind: 'open', topic: topicOf(1) }]);
    open(table, 1);
    const [first, second] = await Promise.all(waiting);
    expect(first).toBe(second);
    expect(await table.acquire(topicOf(1))).toBe(first);
  });

  it('opens a topic with the position of the client that wants it', async () => {
    const { table, toHub } = setUp();
    const since = { epoch: 'e', offset: 7 };
    void table.acquire(topicOf(1), since);
    await turn();
    expect(toHub).toEqual([{ kind: 'open', topic: topicOf(1), since }]);
  });

  it('asks the hub for so many topics of a namespace at once, and for the others when those are answered, in order', async () => {
    const { table, toHub } = setUp();
    const waiting = Array.from({ length: OPENINGS_MAX + 3 }, (_, number) => table.acquire(topicOf(number)));
    await turn();
    expect(toHub).toHaveLength(OPENINGS_MAX);
    // Not to be kept waiting by those.
    void table.acquire('ticks.other' as Topic);
    void table.acquire(topicOf(OPENINGS_MAX));
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

  it('keeps its feed when the hub reports again that the topic is open', async () => {
    const { table } = setUp();
    const waiting = table.acquire(topicOf(1));
    open(table, 1);
    const feed = await waiting;
    publish(table, 1, 1);
    open(table, 1);
    expect(table.get(topicOf(1))).toBe(feed);
    expect(feed.ring.headOffset).toBe(1);
  });

  it('keeps a topic for those that are joining when the last of the others leaves', async () => {
    const { table } = setUp();
    const waiting = [table.acquire(topicOf(1)), table.acquire(topicOf(1))];
    open(table, 1);
    const [first, second] = await Promise.all(waiting);
    table.release(first!);
    expect(table.get(topicOf(1))).toBe(second);
    table.release(second!);
    expect(table.get(topicOf(1))).toBeUndefined();
  });

  it('tells all subscribers when it cannot be opened', async () => {
    const { table } = setUp();
    const waiting = [table.acquire(topicOf(1)), table.acquire(topicOf(1))];
    table.openFailed({ kind: 'openFailed', topic: topicOf(1), code: 'busy', message: 'full' });
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'busy', message: 'full' });
  });

  it('closes a topic when its last subscriber leaves, and drops publications that arrive afterwards', async () => {
    const { table, toHub } = setUp();
    const waiting = table.acquire(topicOf(1));
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
    const waiting = table.acquire(topicOf(1));
    open(table, 1);
    open(table, 2);
    for (let offset = 1; offset <= 200; offset++) publish(table, 1, offset);
    publish(table, 2, 1);
    table.release(await waiting);
    for (let offset = 2; offset <= 100; offset++) publish(table, 2, offset);
    expect(table.get(topicOf(2))?.ring.first).toBe(0);
  });
});
