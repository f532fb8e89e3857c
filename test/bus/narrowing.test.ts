import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Consumption } from '../../src/bus/nats/consumption.ts';
import { FollowerCore } from '../../src/bus/nats/follower-core.ts';
import { Narrowing } from '../../src/bus/nats/narrowing.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseTopic, type Topic } from '../../src/protocol/topic.ts';

vi.mock('node:timers/promises', () => import('../support/faked-sleep.ts'));

const A = parseTopic('scores.a');
const B = parseTopic('scores.b');
/** Longer than it takes to ask for topics by name. */
const SOON_MS = 5000;
const { config } = loadConfig({ env: {}, flags: { namespaces: { scores: { public: true } } } });
const NEVER = '0001-01-01T00:00:00Z';
const INFO = {
  config: { max_bytes: 1e9 },
  state: { bytes: 0, messages: 0, first_seq: 1, last_seq: 0, first_ts: NEVER, last_ts: NEVER },
} as unknown as StreamInfo;

/** A follower of which the test says whether another consumer takes over. */
function setUp(topics: readonly Topic[]) {
  const wanted = new Set(topics);
  /** What each further consumer was asked for, until the test says whether it takes over. */
  const changes: { readonly filters: readonly string[] | undefined; end(isDone: boolean): void }[] = [];
  const restarts: string[] = [];
  const narrowing = new Narrowing({
    interest: {
      received: 0,
      topics: () => wanted,
      get topicCount() {
        return wanted.size;
      },
    },
    bounds: { filterTopicsMax: 100, filterAbovePerSecond: 0 },
    namespace: config.namespaces.scores!,
    core: new FollowerCore(0, false),
    info: async () => INFO,
    onGap: () => undefined,
    restart: (reason) => {
      restarts.push(reason);
      narrowing.end();
    },
  });
  const takeOver = (_: JetStreamManager, filters?: readonly string[]) => new Promise<boolean>((end) => void changes.push({ filters, end }));
  narrowing.begin({ takeOver } as unknown as Consumption, {} as JetStreamManager);
  const cover = (topic: Topic) => {
    wanted.add(topic);
    const covered = { yet: false };
    void narrowing.cover([topic]).then(() => {
      covered.yet = true;
    });
    return covered;
  };
  return { narrowing, changes, restarts, cover, wanted };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

describe('a topic that is opened while a follower begins to ask by name', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is covered as soon as that has failed: the whole namespace is followed', async () => {
    const { narrowing, changes, restarts, cover } = setUp([A]);
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(changes.map(({ filters }) => filters)).toEqual([['feed.scores.a']]);
    const covered = cover(B);
    await settled();
    expect(covered.yet).toBe(false);
    changes[0]!.end(false);
    await settled();
    expect([covered.yet, narrowing.filteredTopics, restarts, changes.length]).toEqual([true, undefined, [], 1]);
    narrowing.stop();
  });

  it('is covered by the next change where it has succeeded', async () => {
    const { narrowing, changes, restarts, cover } = setUp([A]);
    await vi.advanceTimersByTimeAsync(SOON_MS);
    const covered = cover(B);
    changes[0]!.end(true);
    await settled();
    expect([covered.yet, narrowing.filteredTopics, changes[1]?.filters]).toEqual([false, 1, ['feed.scores.a', 'feed.scores.b']]);
    changes[1]!.end(true);
    await settled();
    expect([covered.yet, narrowing.filteredTopics, restarts]).toEqual([true, 2, []]);
    narrowing.stop();
  });

  it('follows the whole namespace where other topics are not asked for, and no others can be', async () => {
    const many = Array.from({ length: 40 }, (_, i) => parseTopic(`scores.t${i}`));
    const { narrowing, changes, restarts, cover, wanted } = setUp(many);
    await vi.advanceTimersByTimeAsync(SOON_MS);
    changes[0]!.end(true);
    for (const topic of many.slice(1)) wanted.delete(topic);
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(changes.map(({ filters }) => filters?.length)).toEqual([40, 1]);
    const covered = cover(B);
    for (const change of [1, 2]) {
      changes[change]!.end(false);
      await settled();
    }
    expect([changes.length, restarts, covered.yet]).toEqual([3, ['other topics are wanted'], true]);
    narrowing.stop();
  });
});
