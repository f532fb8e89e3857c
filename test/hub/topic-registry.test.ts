import { Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { BusError, type BusErrorCode } from '../../src/bus/bus-error.ts';
import type { Publication } from '../../src/bus/publication.ts';
import { loadConfig } from '../../src/config/load.ts';
import { HubMetrics } from '../../src/hub/hub-metrics.ts';
import { TopicRegistry } from '../../src/hub/topic-registry.ts';
import type { FeedName } from '../../src/protocol/feed-name.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { RecordingLink } from '../support/recording-link.ts';
import { stopWithFakedTimers } from '../support/stop-with-faked-timers.ts';

vi.mock('node:timers/promises', () => import('../support/faked-sleep.ts'));

const LINGER_MS = 5000;
const TOPICS_MAX = 3;
const a = 'scores.a' as Topic;
const b = 'scores.b' as Topic;
const fleeting = 'live.a' as Topic;

const stops = stopWithFakedTimers();

function setUp() {
  const { config } = loadConfig({
    env: {},
    flags: {
      namespaces: { scores: { public: true }, other: { public: true }, live: { public: true, durable: false, wildcards: true } },
      'tuning.hub.topicLingerMs': LINGER_MS,
      'limits.topicsPerNodeMax': TOPICS_MAX,
    },
  });
  const lines: { level: string | number; topic?: string; msg: string }[] = [];
  const logger = createLogger({ level: 'debug', pretty: false }, { write: (line) => void lines.push(JSON.parse(line)) });
  const metrics = new HubMetrics(new Registry(), logger);
  const bus = new FakeBus();
  const registry = new TopicRegistry(config, bus.as(), logger, metrics);
  stops.push(() => registry.stop());
  const log = bus.log('scores');
  const workers = [new RecordingLink(), new RecordingLink()] as const;
  const openFailures = () => lines.filter(({ topic }) => topic !== undefined).map(({ level }) => level);
  return { registry, bus, log, metrics, workers, openFailures };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

function publicationOf(topic: Topic, text: string): Publication {
  const payload = Buffer.from(text);
  return { topic, key: null, offset: 0, publishedAtMs: 1, payload, payloadKind: undefined, origin: undefined };
}

describe('a topic that workers want', () => {
  it('is opened once for all of them, and each is told', async () => {
    const { registry, log, workers } = setUp();
    log.append(a, 1);
    registry.addInterest(a, workers[0]);
    registry.addInterest(a, workers[1]);
    await settled();
    for (const { sent } of workers) expect(sent).toMatchObject([{ kind: 'opened', topic: a, offset: 1 }]);
    expect([log.asked.follow, log.asked.snapshot, registry.size]).toEqual([1, 1, 1]);
    log.append(a, 2);
    log.follower.deliver();
    expect(workers.map(({ chain }) => chain)).toEqual([[[1, 2]], [[1, 2]]]);
  });

  it('has a number of its own, also when it is opened again', async () => {
    const { registry, workers } = setUp();
    for (const topic of [a, b]) registry.addInterest(topic, workers[0]);
    await settled();
    registry.removeInterest(a, workers[0]);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    registry.addInterest(a, workers[0]);
    await settled();
    expect(new Set(workers[0].of('opened').map(({ topicNumber }) => topicNumber)).size).toBe(3);
  });

  it('comes only to those that still want it', async () => {
    const { registry, log, workers } = setUp();
    for (const worker of workers) registry.addInterest(a, worker);
    await settled();
    registry.removeInterest(a, workers[0]);
    log.append(a, 1);
    log.follower.deliver();
    expect(workers.map(({ chain }) => chain)).toEqual([[], [[0, 1]]]);
  });

  it('is refused as `busy` beyond topicsPerNodeMax, and can be had when another has closed', async () => {
    const { registry, workers } = setUp();
    const [worker] = workers;
    for (let n = 0; n <= TOPICS_MAX; n++) registry.addInterest(`scores.t${n}` as Topic, worker);
    await settled();
    expect(worker.of('openFailed')).toMatchObject([{ topic: `scores.t${TOPICS_MAX}`, code: 'busy' }]);
    expect([registry.size, worker.of('opened').length]).toEqual([TOPICS_MAX, TOPICS_MAX]);
    // One that is open may be had by another worker all the same.
    registry.addInterest('scores.t0' as Topic, workers[1]);
    expect(workers[1].kinds).toEqual(['opened']);
    registry.removeInterest('scores.t1' as Topic, worker);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    registry.addInterest(`scores.t${TOPICS_MAX}` as Topic, worker);
    await settled();
    expect(worker.of('opened')).toHaveLength(TOPICS_MAX + 1);
  });
});

describe('a topic that no worker wants any more', () => {
  it('closes topicLingerMs after its last worker, and not before', async () => {
    const { registry, workers } = setUp();
    for (const worker of workers) registry.addInterest(a, worker);
    await settled();
    registry.removeInterest(a, workers[0]);
    await vi.advanceTimersByTimeAsync(2 * LINGER_MS);
    expect(registry.size).toBe(1);
    registry.removeInterest(a, workers[1]);
    await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
    expect(registry.get(a)).toBeDefined();
    await vi.advanceTimersByTimeAsync(1);
    expect([registry.get(a), registry.size]).toEqual([undefined, 0]);
  });

  it('is kept when it is wanted again meanwhile, without being read again', async () => {
    const { registry, log, workers } = setUp();
    registry.addInterest(a, workers[0]);
    await settled();
    registry.removeInterest(a, workers[0]);
    await vi.advanceTimersByTimeAsync(LINGER_MS / 2);
    log.append(a, 1);
    log.follower.deliver();
    registry.addInterest(a, workers[1]);
    expect(workers[1].sent).toMatchObject([{ kind: 'opened', offset: 1 }]);
    await vi.advanceTimersByTimeAsync(2 * LINGER_MS);
    expect([registry.size, log.asked.snapshot]).toEqual([1, 1]);
    // It closes like any other topic when no worker wants it any more.
    registry.removeInterest(a, workers[1]);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(registry.size).toBe(0);
  });

  it('stops the follower of its namespace if it was the last topic; the next topic starts it again', async () => {
    const { registry, log, bus, workers } = setUp();
    for (const topic of [a, b, 'other.a' as Topic]) registry.addInterest(topic, workers[0]);
    await settled();
    registry.removeInterest(a, workers[0]);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect([log.follower.isStopped, [...registry.followers()].length]).toEqual([false, 2]);
    registry.removeInterest(b, workers[0]);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect([log.follower.isStopped, bus.log('other').follower.isStopped, registry.feedOf(a)]).toEqual([true, false, undefined]);
    log.append(a, 1);
    registry.addInterest(a, workers[0]);
    await settled();
    expect([log.asked.follow, workers[0].of('opened').at(-1)?.offset]).toEqual([2, 1]);
  });

  it('closes when its last worker is gone', async () => {
    const { registry, workers } = setUp();
    for (const topic of [a, b]) registry.addInterest(topic, workers[0]);
    registry.addInterest(b, workers[1]);
    await settled();
    registry.removeWorker(workers[0]);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect([...registry.all()].map(({ topic }) => topic)).toEqual([b]);
  });

  it('is no matter when it is not known', () => {
    const { registry, workers } = setUp();
    registry.removeInterest(a, workers[0]);
    expect(registry.size).toBe(0);
  });
});

describe('a topic that cannot be opened', () => {
  it.each<[BusErrorCode | undefined, string, number | string]>([
    ['permission_denied', 'unavailable', 'debug'],
    ['bus_busy', 'busy', 'debug'],
    ['log_gap', 'unavailable', 'warn'],
    [undefined, 'internal', 'warn'],
  ])('for %s is refused as %s, and logged as %s', async (code, told, level) => {
    const { registry, log, workers, openFailures } = setUp();
    log.followFailure = code === undefined ? new TypeError('a bug') : new BusError(code, 'the stream STENTOR_scores is secret');
    for (const worker of workers) registry.addInterest(a, worker);
    await settled();
    for (const { sent } of workers) {
      expect(sent).toMatchObject([{ kind: 'openFailed', topic: a, code: told }]);
      expect(JSON.stringify(sent)).not.toContain('secret');
    }
    expect([registry.size, openFailures()]).toEqual([0, [level]]);
    log.followFailure = undefined;
    registry.addInterest(a, workers[0]);
    await settled();
    expect(workers[0].kinds).toEqual(['openFailed', 'opened']);
  });
});

describe('an ephemeral topic', () => {
  it('is opened when nothing is missed from then on, and has no past', async () => {
    const { registry, bus, workers } = setUp();
    registry.addInterest(fleeting, workers[0]);
    await settled();
    expect(workers[0].sent).toEqual([]);
    bus.listeners[0]!.becomeLive(true);
    await settled();
    bus.listeners[0]!.receiver.onPublication(publicationOf(fleeting, '{"n":1}'));
    expect(workers[0].sent).toMatchObject([{ kind: 'opened', epoch: '', offset: 0, items: [] }, { kind: 'publication' }]);
  });

  it('is refused where the broker denies it', async () => {
    const { registry, bus, workers } = setUp();
    registry.addInterest(fleeting, workers[0]);
    bus.listeners[0]!.becomeLive(false);
    await settled();
    expect(workers[0].sent).toMatchObject([{ kind: 'openFailed', code: 'unavailable' }]);
    expect([registry.size, bus.listeners[0]!.isStopped]).toEqual([0, true]);
  });

  it('tells when it is denied later, and when it is permitted again', async () => {
    const { registry, bus, workers } = setUp();
    registry.addInterest(fleeting, workers[0]);
    bus.listeners[0]!.becomeLive(true);
    await settled();
    bus.listeners[0]!.receiver.onDenied?.(true);
    bus.listeners[0]!.receiver.onDenied?.(false);
    expect(workers[0].of('topicStatus')).toMatchObject([{ awayReason: expect.any(String) }, { awayReason: null }]);
  });

  it('is not opened when it was closed before it was live', async () => {
    const { registry, bus, workers } = setUp();
    registry.addInterest(fleeting, workers[0]);
    registry.removeInterest(fleeting, workers[0]);
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    registry.addInterest(fleeting, workers[1]);
    bus.listeners[0]!.becomeLive(true);
    await settled();
    expect([workers[0].sent, workers[1].sent, bus.listeners[0]!.isStopped]).toEqual([[], [], true]);
    bus.listeners[1]!.becomeLive(true);
    await settled();
    expect(workers[1].kinds).toEqual(['opened']);
  });
});

describe('patterns of an ephemeral namespace', () => {
  it('share what is heard of it, and one that is denied by then is refused', async () => {
    const { registry, bus, workers } = setUp();
    const [first, second, third] = ['live.*', 'live.>', 'live.a.*'] as [FeedName, FeedName, FeedName];
    registry.addInterest(first, workers[0]);
    bus.listeners[0]!.becomeLive(true);
    await settled();
    bus.listeners[0]!.receiver.onDenied?.(true);
    registry.addInterest(second, workers[1]);
    await settled();
    expect(bus.listeners).toHaveLength(1);
    expect(workers[0].kinds).toEqual(['opened', 'topicStatus']);
    expect(workers[1].sent).toMatchObject([{ kind: 'openFailed', topic: second, code: 'unavailable' }]);
    bus.listeners[0]!.receiver.onDenied?.(false);
    registry.addInterest(third, workers[1]);
    await settled();
    expect(workers[1].kinds).toEqual(['openFailed', 'opened']);
  });
});

describe('what comes of the bus', () => {
  it('is counted, and skipped where it is malformed: the next one is chained to the one before it', async () => {
    const { registry, log, metrics, workers } = setUp();
    registry.addInterest(a, workers[0]);
    await settled();
    log.append(a, 1);
    log.publications.push({ ...publicationOf(a, '{"n":'), offset: 2 });
    log.append(a, 3);
    log.append(b, 4);
    log.follower.deliver();
    expect(workers[0].chain).toEqual([
      [0, 1],
      [1, 3],
    ]);
    expect(await metrics.totals()).toMatchObject({ publicationsIn: 4, skipped: { malformed: 1 } });
  });

  it('waits for no log that cannot be followed', async () => {
    const { registry, bus, workers } = setUp();
    for (const topic of [a, 'other.a' as Topic]) registry.addInterest(topic, workers[0]);
    await settled();
    bus.log('other').follower.setLive(false);
    let following = false;
    void registry.whenFollowing().then(() => {
      following = true;
    });
    await settled();
    expect(following).toBe(false);
    await vi.advanceTimersByTimeAsync(5000);
    expect(following).toBe(true);
  });
});

it('a stop ends everything that feeds topics, and every linger', async () => {
  const { registry, bus, log, workers } = setUp();
  for (const topic of [a, b, fleeting]) registry.addInterest(topic, workers[0]);
  await settled();
  registry.removeInterest(b, workers[0]);
  await registry.stop();
  expect([log.follower.isStopped, bus.listeners[0]!.isStopped, registry.size]).toEqual([true, true, 0]);
  expect(vi.getTimerCount()).toBe(0);
});
