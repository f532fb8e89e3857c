import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { History } from '../../src/hub/history.ts';
import { HubMetrics } from '../../src/hub/hub-metrics.ts';
import { TopicRegistry } from '../../src/hub/topic-registry.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { RecordingLink } from '../support/recording-link.ts';

const topic = 'scores.a' as Topic;
const ALL = { limit: 1000, bytesMax: 1_000_000 };
const registries: TopicRegistry[] = [];
afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.stop();
});

/** A log of ten publications, and a history over it. */
function setUp(settings: Readonly<Record<string, unknown>> = {}) {
  const { config } = loadConfig({ env: {}, flags: { namespaces: { scores: { public: true } }, 'log.level': 'silent', ...settings } });
  const logger = createLogger(config.log);
  const metrics = new HubMetrics(new Registry(), logger);
  const bus = new FakeBus();
  const log = bus.log('scores');
  for (let n = 1; n <= 10; n++) log.append(topic, n);
  const registry = new TopicRegistry(config, bus.as(), logger, metrics);
  registries.push(registry);
  const history = new History(config, bus.as(), registry, metrics);
  const open = async () => {
    registry.addInterest(topic, new RecordingLink());
    await settled();
  };
  return { history, log, open };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const offsetsOf = ({ items }: { readonly items: readonly { readonly offset: number }[] }) => items.map(({ offset }) => offset);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: { code: string }) => error.code,
  );

describe('a page of history that many ask for', () => {
  it('is read once for all who ask at once', async () => {
    const { history, log } = setUp();
    const release = log.hold();
    const asking = [1, 2, 3].map(() => history.page({ topic, epoch: 'e1', after: 4, ...ALL }));
    await settled();
    release();
    for (const page of await Promise.all(asking)) expect([offsetsOf(page), page.complete]).toEqual([[5, 6, 7, 8, 9, 10], true]);
    expect(log.asked.read).toBe(1);
  });

  it('is read again after a read that failed, which all who asked are told', async () => {
    const { history, log } = setUp();
    const readLast = log.readLast.bind(log);
    let reads = 0;
    log.readLast = async () => {
      reads++;
      await settled();
      throw new BusError('bus_unreachable', 'cut off');
    };
    const asking = [1, 2].map(() => codeOf(history.last(topic, 3, 1_000_000)));
    expect([await Promise.all(asking), reads]).toEqual([['bus_unreachable', 'bus_unreachable'], 1]);
    log.readLast = readLast;
    expect(offsetsOf(await history.last(topic, 3, 1_000_000))).toEqual([8, 9, 10]);
  });
});

describe('reads of the log', () => {
  it('wait while others bring as much as may come at once, are `busy` when as many wait as may, and are done in turn', async () => {
    const { history, log } = setUp({
      'tuning.answers.answerBytesPerNodeMax': 131_072,
      'tuning.answers.historyBytesMax': 65_536,
      'tuning.recovery.recoveryBytesMax': 65_536,
      'tuning.answers.answersWaitingMax': 1,
    });
    const page = (after: number) => history.page({ topic, epoch: 'e1', after, ...ALL });
    await history.last(topic, 1, 1_000_000);
    // A page reads ahead as much as all of it.
    const release = log.hold();
    const [running, waiting, refused] = [page(1), page(2), codeOf(page(3))];
    release();
    const again = log.hold();
    await settled();
    expect([await refused, log.asked.read, history.bytes.reading]).toEqual(['busy', 1, 131_072]);
    again();
    expect([offsetsOf(await running).length, offsetsOf(await waiting).length]).toEqual([9, 8]);
    expect([offsetsOf(await page(3)).length, history.bytes.reading]).toEqual([7, 0]);
  });

  it('that fail give their room back', async () => {
    const { history, log } = setUp();
    log.read = async () => {
      throw new BusError('bus_unreachable', 'cut off');
    };
    expect(await codeOf(history.page({ topic, epoch: 'e1', after: 0, ...ALL }))).toBe('bus_unreachable');
    expect(history.bytes.reading).toBe(0);
  });
});

describe('a page of history from beyond the end of the log', () => {
  it.each([
    ['that this node follows', true],
    ['that it does not follow', false],
  ])('is not complete: the position is of another life, of a log %s', async (_, isOpen) => {
    const { history, log, open } = setUp();
    if (isOpen) await open();
    for (const range of [{}, { upTo: 12, proven: true as const }]) {
      const page = await history.page({ topic, epoch: 'e1', after: 11, ...ALL, ...range });
      expect(page).toEqual({ epoch: 'e1', offset: 0, complete: false, more: false, items: [] });
    }
    expect(log.asked.read).toBe(0);
  });

  it('is, at its end, and where another node has come further than this one', async () => {
    const { history, log, open } = setUp();
    await open();
    expect(await history.page({ topic, epoch: 'e1', after: 10, ...ALL })).toMatchObject({ offset: 10, complete: true, items: [] });
    log.append(topic, 11);
    log.append(topic, 12);
    for (const after of [11, 12])
      expect(await history.page({ topic, epoch: 'e1', after, ...ALL })).toMatchObject({ offset: after, complete: true });
  });
});

describe('a recovery', () => {
  it('from beyond the end of the log brings nothing: the position is of another life', async () => {
    const { history, log, open } = setUp();
    await open();
    const answer = await history.recover({ topic, after: 11 });
    expect([answer.completeFrom, answer.items, log.asked.read]).toEqual([undefined, [], 0]);
  });

  it('from beyond what this node has had waits until it has it', async () => {
    const { history, log, open } = setUp();
    await open();
    log.append(topic, 11);
    let answered = false;
    const asking = history.recover({ topic, after: 11 }).then((answer) => {
      answered = true;
      return answer;
    });
    await settled();
    expect(answered).toBe(false);
    log.follower.deliver();
    expect(await asking).toMatchObject({ completeFrom: 11, offset: 11, items: [] });
  });

  it('of what this node has passed needs no log', async () => {
    const { history, log, open } = setUp();
    await open();
    for (let n = 11; n <= 14; n++) log.append(topic, n);
    log.follower.deliver();
    const answer = await history.recover({ topic, after: 12 });
    expect([offsetsOf(answer), answer.completeFrom, log.asked.read]).toEqual([[13, 14], 12, 0]);
  });

  it('fails while the topic is not open', async () => {
    const { history } = setUp();
    expect(await codeOf(history.recover({ topic, after: 1 }))).toBe('bus_unreachable');
  });

  it('of a log that broke while it was read brings nothing', async () => {
    const { history, log, open } = setUp();
    await open();
    const read = log.read.bind(log);
    log.read = async (...question) => {
      const result = await read(...question);
      log.epoch = 'e2';
      log.follower.break('log_rolled_back');
      await settled();
      return result;
    };
    const answer = await history.recover({ topic, after: 3 });
    expect([answer.completeFrom, answer.items]).toEqual([undefined, []]);
  });
});
