import { afterEach, describe, expect, it, vi } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { TestHub } from '../support/test-hub.ts';

const OPENINGS_MAX = 256;
const GROUP_MAX = 128;
const hubs: TestHub[] = [];
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.stop();
});

interface Reads {
  topics: string[];
  atOnceMax: number;
  /** How many topics were read together, each time. */
  together: number[];
}

/** A hub, and which topics' states it reads. */
function start(settings: Readonly<Record<string, unknown>> = {}): { hub: TestHub; reads: Reads } {
  const hub = new TestHub(settings);
  hubs.push(hub);
  const reads: Reads = { topics: [], atOnceMax: 0, together: [] };
  let now = 0;
  const snapshot = hub.plain.snapshot.bind(hub.plain);
  hub.plain.snapshot = async (topic, after) => {
    reads.topics.push(topic);
    reads.atOnceMax = Math.max(reads.atOnceMax, ++now);
    try {
      return await snapshot(topic, after);
    } finally {
      now--;
    }
  };
  const latest = hub.plain.latest.bind(hub.plain);
  hub.plain.latest = (topics) => {
    reads.together.push(topics.length);
    return latest(topics);
  };
  return { hub, reads };
}

const names = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `plain.t${from + i}` as Topic);
const toldOf = (hub: TestHub, kind: ToWorker['kind']) => hub.told.filter((message) => message.kind === kind);

describe('topics that are asked for all at once', () => {
  it('are all opened, a limited number at a time', async () => {
    const { hub, reads } = start();
    for (const topic of names(1000)) hub.send({ kind: 'open', topic });
    await hub.until(() => toldOf(hub, 'opened').length === 1000);
    expect(reads.atOnceMax).toBeLessThanOrEqual(OPENINGS_MAX);
    expect(new Set(reads.topics).size).toBe(1000);
  });

  it('are read together, in groups of a limited size', async () => {
    const { hub, reads } = start();
    const all = names(2 * GROUP_MAX + 50);
    for (const topic of all) hub.publish(topic, 2);
    for (const topic of all) hub.send({ kind: 'open', topic });
    await hub.until(() => toldOf(hub, 'opened').length === all.length);
    expect(reads.together).toEqual([GROUP_MAX, GROUP_MAX, 50]);
    const opened = toldOf(hub, 'opened') as Extract<ToWorker, { kind: 'opened' }>[];
    for (const { topic, offset, items } of opened) {
      const last = 2 * (all.indexOf(topic as Topic) + 1);
      expect([topic, offset, items.map((item) => item.offset)]).toEqual([topic, last, [last]]);
    }
  });

  it('are opened in several loop turns if that takes long, and miss nothing that is published meanwhile', async () => {
    const { hub } = start();
    const all = names(GROUP_MAX);
    const last = all.at(-1) as Topic;
    await hub.open('plain.first');
    let end = 0;
    const publish = (topic: Topic) => {
      hub.publish(topic, 1);
      end++;
    };
    for (const topic of all) publish(topic);
    let nowMs = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs++);
    const opened = () => toldOf(hub, 'opened') as Extract<ToWorker, { kind: 'opened' }>[];
    const counts = new Set<number>();
    for (const topic of all) hub.send({ kind: 'open', topic });
    while (opened().length <= all.length) {
      counts.add(opened().length);
      if (opened().length > 1) publish(last);
      hub.plain.deliver(Number.POSITIVE_INFINITY, false);
      await new Promise((resolve) => setImmediate(resolve));
    }
    vi.restoreAllMocks();
    expect(counts.size).toBeGreaterThan(10);
    publish(last);
    const { topicNumber, offset } = opened().find(({ topic }) => topic === last) as Extract<ToWorker, { kind: 'opened' }>;
    const chain = () =>
      hub.told.flatMap((message) =>
        message.kind === 'publication' && message.topicNumber === topicNumber ? [[message.prev, message.item.offset]] : [],
      );
    await hub.until(() => chain().at(-1)?.[1] === end);
    expect(chain().length).toBeGreaterThan(5);
    const expected = Array.from({ length: end - offset }, (_, at) => [offset + at, offset + at + 1]);
    expect(chain()).toEqual(expected);
  });

  it('are opened one by one if they cannot be read together', async () => {
    const { hub, reads } = start();
    await hub.open('plain.first');
    hub.plain.latest = () => Promise.reject(new BusError('bus_unreachable', 'no'));
    for (const topic of names(50)) hub.send({ kind: 'open', topic });
    await hub.until(() => toldOf(hub, 'opened').length === 51);
    expect(reads.topics.filter((topic) => topic !== 'plain.first')).toEqual(names(50));
    expect(toldOf(hub, 'openFailed')).toEqual([]);
  });

  it('are not read if their last subscriber has left before their turn, and are read at the next subscribe', async () => {
    const { hub, reads } = start({ 'tuning.hub.topicLingerMs': 600_000 });
    const all = names(1000);
    for (const topic of all) hub.send({ kind: 'open', topic });
    for (const topic of all.slice(300, 900)) hub.send({ kind: 'close', topic });
    await hub.until(() => toldOf(hub, 'opened').length === 400);
    expect(reads.topics).not.toContain('plain.t500');
    expect(reads.topics.length).toBe(400);
    await hub.open('plain.t500');
    expect(reads.topics).toContain('plain.t500');
  });

  it('get `busy` immediately above the limit of waiting ones, and can be opened later', async () => {
    const { hub } = start({ 'tuning.nats.readsWaitingMax': 10 });
    for (const topic of names(OPENINGS_MAX + 12)) hub.send({ kind: 'open', topic });
    await hub.until(() => toldOf(hub, 'opened').length === OPENINGS_MAX + 10);
    const refused = toldOf(hub, 'openFailed');
    expect(refused).toMatchObject([{ code: 'busy' }, { code: 'busy' }]);
    const topic = (refused[0] as { topic: string }).topic;
    hub.told.length = 0;
    expect(await hub.open(topic)).toMatchObject({ kind: 'opened' });
  });
});
