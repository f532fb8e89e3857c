import { describe, expect, it, vi } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { HubTopic, OPENING_BUFFER_MAX } from '../../src/hub/hub-topic.ts';
import { toLinkItem } from '../../src/hub/link-item.ts';
import { NamespaceFeed } from '../../src/hub/namespace-feed.ts';
import { LINK_ITEM_FORM } from '../../src/hub/recent-items.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { RecentBudget } from '../../src/recent/budget.ts';
import type { StateKind } from '../../src/recent/state.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { Turns } from '../../src/telemetry/turns.ts';
import { ManualLog } from '../support/manual-log.ts';
import { RecordingLink } from '../support/recording-link.ts';
import { stopWithFakedTimers } from '../support/stop-with-faked-timers.ts';

vi.mock('node:timers/promises', () => import('../support/faked-sleep.ts'));

const RETRY_PAUSE_MS = 10;
const READY_TIMEOUT_MS = 2000;
const AWAY_GRACE_MS = 1000;
const LOOK_EVERY_MS = 250;
/** Topics that are opened at once, and that are read at once when all start over. */
const OPENINGS_MAX = 256;
const RESYNCS_MAX = 8;
const unreachable = () => new BusError('bus_unreachable', 'cut off');

const stops = stopWithFakedTimers();

interface OpenTopic {
  readonly topic: HubTopic;
  readonly worker: RecordingLink;
  /** Of the opening: `resolved`, or a code. */
  readonly opening: Promise<string>;
}

function setUp({ state = 'last' as StateKind } = {}) {
  const { config } = loadConfig({
    env: {},
    flags: {
      namespaces: { scores: { public: true, state } },
      'tuning.hub.retryPauseMs': RETRY_PAUSE_MS,
      'tuning.hub.watchdogIntervalMs': 60_000,
      'tuning.nats.awayGraceMs': AWAY_GRACE_MS,
      'tuning.nats.requestTimeoutMs': 5000,
    },
  });
  const log = new ManualLog('scores');
  const recent = new RecentBudget(LINK_ITEM_FORM, config.tuning.recent);
  const told = { resyncs: 0, unwanted: [] as string[], publications: [] as [number, boolean][] };
  const bus = { connected: true };
  const feed = new NamespaceFeed({
    name: 'scores',
    log,
    config,
    logger: createLogger({ level: 'silent', pretty: false }),
    busConnected: () => bus.connected,
    onPublication: (publication, { named: [topic] }) => {
      told.publications.push([publication.offset, topic !== undefined]);
      const result = toLinkItem(publication, config.namespaces.scores!);
      if (topic !== undefined && result.kind !== 'skipped') topic.publish(result.item);
    },
    openingTurns: new Turns(4),
    onUnwanted: ({ topic }) => void told.unwanted.push(topic),
    onOpened: () => undefined,
    onResync: () => void told.resyncs++,
    onImage: () => undefined,
  });
  stops.push(() => feed.stop());
  let number = 1;
  /** Asks for a topic that one worker wants. */
  const open = (name: string): OpenTopic => {
    const topic = new HubTopic({ topic: name as Topic, number: number++, durable: true, state, recent });
    const worker = new RecordingLink();
    topic.addWorker(worker);
    const opening = feed.open(topic).then(
      () => 'resolved',
      (error: BusError) => error.code,
    );
    return { topic, worker, opening };
  };
  return { log, feed, bus, told, open };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

describe('NamespaceFeed asks for a topic by name', () => {
  it('before it reads its state, and says which topics it wants', async () => {
    const { log, open, feed } = setUp();
    await open('scores.a').opening;
    let covered = () => {};
    log.follower.covering = new Promise((resolve) => {
      covered = resolve;
    });
    const asked = log.asked.snapshot;
    const { opening } = open('scores.b');
    await vi.advanceTimersByTimeAsync(0);
    expect([log.follower.covered.at(-1), log.asked.snapshot]).toEqual(['scores.b', asked]);
    expect([log.interest?.topicCount, [...(log.interest?.topics() ?? [])]]).toEqual([2, ['scores.a', 'scores.b']]);
    covered();
    expect([await opening, log.asked.snapshot]).toEqual(['resolved', asked + 1]);
    log.append('scores.a', 1);
    log.append('scores.other', 2);
    log.follower.deliver();
    expect(log.interest?.received).toBe(1);
    expect(feed.filteredTopics).toBeUndefined();
  });

  it('as a whole, once, where keys of it are open', async () => {
    const { log, open } = setUp();
    for (const name of ['scores.a#k', 'scores.a#l', 'scores.a', 'scores.b#k']) void open(name);
    await settled();
    expect([...(log.interest?.topics() ?? [])]).toEqual(['scores.a', 'scores.b']);
    expect(new Set(log.follower.covered)).toEqual(new Set(['scores.a', 'scores.b']));
    for (const topic of ['scores.a', 'scores.b', 'scores.c']) log.append(topic, 1, { key: 'other' });
    log.follower.deliver();
    expect(log.interest?.received).toBe(2);
  });
});

describe('a topic of a namespace that is opened', () => {
  it('has the state of the log, and then all that was published since, each once and in order', async () => {
    const { log, open } = setUp();
    log.append('scores.a', 1);
    log.append('scores.b', 2);
    const first = open('scores.b');
    expect(await first.opening).toBe('resolved');
    const release = log.hold();
    const { worker, opening } = open('scores.a');
    await settled();
    // Published while the state is read, and the first of them read with it.
    log.append('scores.a', 3);
    log.follower.deliver();
    release();
    await settled();
    log.append('scores.a', 4);
    log.append('scores.b', 5);
    log.append('scores.a', 6);
    log.follower.deliver();
    await opening;
    expect(worker.sent[0]).toMatchObject({ kind: 'opened', epoch: 'e1', offset: 3 });
    expect(worker.chain).toEqual([
      [3, 4],
      [4, 6],
    ]);
    expect(first.worker.chain).toEqual([[2, 5]]);
  });

  it('gets what was published between the reading of its state and its answer', async () => {
    const { log, open } = setUp();
    log.append('scores.a', 1);
    await open('scores.b').opening;
    const snapshot = log.snapshot.bind(log);
    log.snapshot = async (topic) => {
      const publications = await snapshot(topic);
      log.append('scores.a', 2);
      log.follower.deliver();
      return publications;
    };
    const { worker, opening } = open('scores.a');
    await opening;
    expect(worker.sent[0]).toMatchObject({ kind: 'opened', offset: 1 });
    expect(worker.chain).toEqual([[1, 2]]);
  });

  it('is not opened before the follower has passed what was read', async () => {
    const { log, open } = setUp();
    await open('scores.b').opening;
    log.append('scores.a', 1);
    const { worker } = open('scores.a');
    await vi.advanceTimersByTimeAsync(500);
    expect(worker.sent).toEqual([]);
    log.follower.deliver();
    await vi.advanceTimersByTimeAsync(50);
    expect(worker.sent).toMatchObject([{ kind: 'opened', offset: 1 }]);
    expect(worker.chain).toEqual([]);
  });

  it('is read again when more comes meanwhile than may wait', async () => {
    const { log, open } = setUp();
    await open('scores.b').opening;
    const snapshot = log.snapshot.bind(log);
    let reads = 0;
    log.snapshot = async (topic) => {
      const publications = await snapshot(topic);
      if (++reads > 1) return publications;
      for (let n = 0; n <= OPENING_BUFFER_MAX; n++) log.append('scores.a', n);
      log.follower.deliver();
      return publications;
    };
    const { worker, opening } = open('scores.a');
    await opening;
    expect(reads).toBe(2);
    expect(worker.sent).toMatchObject([{ kind: 'opened', offset: OPENING_BUFFER_MAX + 1 }]);
  });

  it('is asked for again when it cannot be read, three times in all, and then fails with what the log says', async () => {
    const { log, open } = setUp();
    await open('scores.b').opening;
    let reads = 0;
    log.snapshot = async () => {
      reads++;
      throw new BusError('log_gap', 'no');
    };
    const { opening, worker } = open('scores.a');
    await vi.advanceTimersByTimeAsync(10 * RETRY_PAUSE_MS);
    expect([await opening, reads, worker.sent]).toEqual(['log_gap', 3, []]);
  });

  it('is opened by a later try', async () => {
    const { log, open } = setUp();
    await open('scores.b').opening;
    const snapshot = log.snapshot.bind(log);
    log.snapshot = async () => {
      log.snapshot = snapshot;
      throw unreachable();
    };
    const { opening, worker } = open('scores.a');
    await vi.advanceTimersByTimeAsync(RETRY_PAUSE_MS);
    expect([await opening, worker.kinds]).toEqual(['resolved', ['opened']]);
  });

  it('fails when the log cannot be followed', async () => {
    const { log, open } = setUp();
    log.failure = unreachable();
    const { opening } = open('scores.a');
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS);
    expect(await opening).toBe('bus_unreachable');
  });

  it('is not read if its last worker has left before its turn', async () => {
    const { log, open, told } = setUp();
    const release = log.hold();
    for (let n = 0; n < OPENINGS_MAX; n++) open(`scores.t${n}`);
    const { topic, worker, opening } = open('scores.a');
    topic.removeWorker(worker);
    release();
    await settled();
    expect([await opening, told.unwanted, topic.isOpen]).toEqual(['resolved', ['scores.a'], false]);
    expect(log.asked.snapshot).toBe(OPENINGS_MAX);
  });

  it('is not opened when it is closed meanwhile', async () => {
    const { log, feed, open } = setUp();
    const release = log.hold();
    const { topic, worker, opening } = open('scores.a');
    await settled();
    feed.close(topic);
    release();
    await opening;
    expect([worker.sent, topic.isOpen, feed.topicCount]).toEqual([[], false, 0]);
  });
});

describe('the publications of a namespace', () => {
  it('are all told, whether their topic is open or not', async () => {
    const { log, feed, open, told } = setUp();
    const { topic } = open('scores.a');
    await settled();
    log.append('scores.a', 1);
    log.append('scores.b', 2);
    log.follower.deliver();
    feed.close(topic);
    log.append('scores.a', 3);
    log.follower.deliver();
    expect(told.publications).toEqual([
      [1, true],
      [2, false],
      [3, false],
    ]);
  });
});

describe('the topics of a namespace whose log breaks', () => {
  it('start over with the state of the new log, with the reason, and lose nothing that is published from then on', async () => {
    const { log, open, told } = setUp();
    log.append('scores.a', 1);
    log.append('scores.a', 2);
    const { topic, worker } = open('scores.a');
    await settled();
    log.epoch = 'e2';
    log.publications.pop();
    const release = log.hold();
    log.follower.break('log_rolled_back');
    await settled();
    // What it was is not what it is.
    expect([worker.kinds, topic.isOpen]).toEqual([['opened'], false]);
    release();
    await settled();
    log.append('scores.a', 3);
    log.follower.deliver();
    expect(worker.sent[1]).toMatchObject({ kind: 'resync', epoch: 'e2', offset: 1, reason: 'the log was reset' });
    expect([worker.chain, told.resyncs]).toEqual([[[1, 2]], 1]);
  });

  it('keep what comes while they are read, behind the state', async () => {
    const { log, open } = setUp();
    const { worker } = open('scores.a');
    await settled();
    log.epoch = 'e2';
    const snapshot = log.snapshot.bind(log);
    log.snapshot = async (topic) => {
      const publications = await snapshot(topic);
      log.append('scores.a', 1);
      log.follower.deliver();
      return publications;
    };
    log.follower.break('log_gone');
    await settled();
    expect(worker.kinds).toEqual(['opened', 'resync', 'publication']);
    expect(worker.chain).toEqual([[0, 1]]);
  });

  it('are read a few at a time', async () => {
    const { log, open, told } = setUp();
    for (let n = 0; n < 50; n++) open(`scores.t${n}`);
    await settled();
    let atOnce = 0;
    let most = 0;
    const snapshot = log.snapshot.bind(log);
    log.snapshot = async (topic) => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setTimeout(resolve, 5));
      atOnce--;
      return snapshot(topic);
    };
    log.follower.break('log_gone');
    await vi.advanceTimersByTimeAsync(200);
    expect([told.resyncs, most]).toEqual([50, RESYNCS_MAX]);
  });

  it('are not given up when one cannot be read: it is tried until it can', async () => {
    const { log, open, told } = setUp();
    const [a, b] = [open('scores.a'), open('scores.b')];
    await settled();
    const snapshot = log.snapshot.bind(log);
    let failing = true;
    let tries = 0;
    log.snapshot = async (topic) => {
      if (topic !== 'scores.a') return snapshot(topic);
      tries++;
      if (failing) throw unreachable();
      return snapshot(topic);
    };
    log.follower.break('log_gap');
    await vi.advanceTimersByTimeAsync(20 * RETRY_PAUSE_MS);
    expect([a.worker.kinds, b.worker.kinds]).toEqual([['opened'], ['opened', 'resync']]);
    // After 10, 20, 40 and 80 ms.
    expect(tries).toBe(5);
    failing = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.worker.kinds).toEqual(['opened', 'resync']);
    expect(told.resyncs).toBe(2);
  });

  it('take no answer that was asked for before it broke once more', async () => {
    const { log, open } = setUp();
    const { worker } = open('scores.a');
    await settled();
    log.epoch = 'e2';
    const snapshot = log.snapshot.bind(log);
    log.snapshot = async (topic) => {
      const publications = await snapshot(topic);
      log.snapshot = snapshot;
      log.epoch = 'e3';
      log.append('scores.a', 1);
      log.follower.break('log_gone');
      return publications;
    };
    log.follower.break('log_gone');
    await vi.advanceTimersByTimeAsync(1000);
    expect(worker.sent.slice(1)).toMatchObject([{ kind: 'resync', epoch: 'e3', offset: 1 }]);
  });

  it('are not told when they were closed meanwhile', async () => {
    const { log, feed, open, told } = setUp();
    const { topic, worker } = open('scores.a');
    await settled();
    const release = log.hold();
    log.follower.break('log_gone');
    await settled();
    feed.close(topic);
    release();
    await vi.advanceTimersByTimeAsync(1000);
    expect([worker.kinds, told.resyncs, topic.isOpen]).toEqual([['opened'], 0, false]);
  });

  it('are opened where they were being opened: they have nothing to resync', async () => {
    const { log, open } = setUp();
    await open('scores.b').opening;
    const snapshot = log.snapshot.bind(log);
    log.snapshot = async (topic) => {
      const publications = await snapshot(topic);
      if (topic !== 'scores.a') return publications;
      log.snapshot = snapshot;
      log.epoch = 'e2';
      log.follower.break('log_gone');
      return publications;
    };
    const { worker } = open('scores.a');
    await vi.advanceTimersByTimeAsync(1000);
    expect(worker.sent).toMatchObject([{ kind: 'opened', epoch: 'e2' }]);
  });
});

describe('a topic that is opened while its log breaks', () => {
  it('is not given up for the last of its tries', async () => {
    const { log, open } = setUp();
    await open('scores.b').opening;
    const snapshot = log.snapshot.bind(log);
    let reads = 0;
    log.snapshot = async () => {
      if (++reads === 3) {
        log.snapshot = snapshot;
        log.follower.break('log_gap');
      }
      throw unreachable();
    };
    const { worker, opening } = open('scores.a');
    await vi.advanceTimersByTimeAsync(1000);
    expect([await opening, worker.kinds]).toEqual(['resolved', ['opened']]);
  });
});

describe('a topic that is opened again after it was closed', () => {
  it('is not closed with the one before it', async () => {
    const { log, feed, open } = setUp();
    const first = open('scores.a');
    await settled();
    const second = open('scores.a');
    await settled();
    feed.close(first.topic);
    log.append('scores.a', 1);
    log.follower.deliver();
    expect([first.worker.chain, second.worker.chain]).toEqual([[], [[0, 1]]]);
  });
});

describe('the clients of a namespace whose log is not followed', () => {
  /** Until a look sees it, and from then on the grace. */
  const UNTIL_TOLD_MS = READY_TIMEOUT_MS + AWAY_GRACE_MS + 2 * LOOK_EVERY_MS;

  it('are told after the grace, and told again when it is followed', async () => {
    const { log, open } = setUp();
    const { worker } = open('scores.a');
    await settled();
    log.follower.setLive(false);
    await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS + AWAY_GRACE_MS - LOOK_EVERY_MS);
    expect(worker.kinds).toEqual(['opened']);
    await vi.advanceTimersByTimeAsync(3 * LOOK_EVERY_MS);
    expect(worker.of('topicStatus')).toMatchObject([{ topic: 'scores.a', awayReason: expect.any(String) }]);
    log.follower.setLive(true);
    await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
    expect(worker.of('topicStatus').map(({ awayReason }) => awayReason === null)).toEqual([false, true]);
  });

  it('are not told of their topics while the whole bus is away, which they know', async () => {
    const { log, bus, open } = setUp();
    const { worker } = open('scores.a');
    await settled();
    bus.connected = false;
    log.follower.setLive(false);
    await vi.advanceTimersByTimeAsync(UNTIL_TOLD_MS);
    expect(worker.kinds).toEqual(['opened']);
    bus.connected = true;
    await vi.advanceTimersByTimeAsync(UNTIL_TOLD_MS);
    expect(worker.kinds).toEqual(['opened', 'topicStatus']);
  });

  it('are not told any more when the feed is stopped, and the log is not followed', async () => {
    const { log, feed, open } = setUp();
    const { worker } = open('scores.a');
    await settled();
    await feed.stop();
    expect([log.follower.isStopped, vi.getTimerCount()]).toEqual([true, 0]);
    log.follower.setLive(false);
    await vi.advanceTimersByTimeAsync(UNTIL_TOLD_MS);
    expect(worker.kinds).toEqual(['opened']);
  });
});

it('a keyed topic knows every change only behind what has expired', async () => {
  const { log, open } = setUp({ state: 'keyed' });
  for (const key of ['k1', 'k2', 'k3']) log.append('scores.a', 1, { key });
  log.firstOffset = 2;
  const { worker } = open('scores.a');
  await settled();
  expect(worker.sent).toMatchObject([{ kind: 'opened', offset: 3, completeFrom: 1, items: [{ key: 'k2' }, { key: 'k3' }] }]);
});
