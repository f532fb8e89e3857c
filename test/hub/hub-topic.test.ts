import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HubTopic, MISSED_BYTES_MAX, OPENING_BUFFER_MAX } from '../../src/hub/hub-topic.ts';
import { bytesOf, LINK_ITEM_FORM } from '../../src/hub/recent-items.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import type { LinkItem } from '../../src/link/publication-message.ts';
import type { Key, Topic } from '../../src/protocol/topic.ts';
import { RecentBudget } from '../../src/recent/budget.ts';
import type { Since } from '../../src/recent/lives.ts';
import type { StateKind } from '../../src/recent/state.ts';
import { type Limits, WIDE } from '../support/recent-fixtures.ts';
import { RecordingLink } from '../support/recording-link.ts';

const TOPIC = 'scores.a' as Topic;

function item(offset: number, key: string | null = null): LinkItem {
  return { offset, key: key as Key | null, data: Buffer.of(offset & 0x7f), publishedAtMs: 1000 + offset };
}

function topicOf({ durable = true, state = 'keyed' as StateKind, limits = {} as Limits } = {}) {
  const recent = new RecentBudget(LINK_ITEM_FORM, { ...WIDE, ...limits });
  const topic = new HubTopic({ topic: TOPIC, number: 7, durable, state, recent });
  const worker = new RecordingLink();
  topic.addWorker(worker);
  return { topic, worker, recent };
}

const state = (offset: number, items: LinkItem[] = [], epoch = 'e1') => ({ epoch, offset, completeFrom: 0, items });

describe('HubTopic, opening', () => {
  it('says nothing before it has its state', () => {
    const { topic, worker } = topicOf();
    topic.publish(item(5));
    expect(topic.isOpen).toBe(false);
    expect(worker.sent).toEqual([]);
  });

  it('sends its workers the state, then what was buffered and is not in it', () => {
    const { topic, worker } = topicOf();
    for (const offset of [8, 9, 11, 15]) topic.publish(item(offset));
    topic.open(state(9, [item(9)]));
    expect(worker.sent[0]).toEqual({ kind: 'opened', topic: TOPIC, topicNumber: 7, ...state(9, [item(9)]) });
    expect(worker.chain).toEqual([
      [9, 11],
      [11, 15],
    ]);
    expect(topic).toMatchObject({ isOpen: true, offset: 15, epoch: 'e1' });
  });

  it('sends a worker that joins later the current state', () => {
    const { topic } = topicOf();
    topic.open(state(9, [item(9, 'a')]));
    topic.publish(item(12, 'b'));
    topic.publish(item(14, 'a'));
    const late = new RecordingLink();
    topic.addWorker(late);
    expect(late.sent).toEqual([{ kind: 'opened', topic: TOPIC, topicNumber: 7, ...state(14, [item(12, 'b'), item(14, 'a')]) }]);
    topic.publish(item(20, 'a'));
    expect(late.chain).toEqual([[14, 20]]);
  });

  it(`drops what is buffered above ${OPENING_BUFFER_MAX}, reports it once, and then still misses nothing`, () => {
    const { topic, worker } = topicOf();
    for (let offset = 1; offset <= OPENING_BUFFER_MAX; offset++) topic.publish(item(offset));
    expect(topic.takeOverflow()).toBe(false);
    topic.publish(item(OPENING_BUFFER_MAX + 1));
    topic.publish(item(OPENING_BUFFER_MAX + 2));
    expect(topic.takeOverflow()).toBe(true);
    expect(topic.takeOverflow()).toBe(false);
    // Read again, so it has what was let go.
    topic.open(state(OPENING_BUFFER_MAX + 1, [item(OPENING_BUFFER_MAX + 1)]));
    expect(worker.chain).toEqual([[OPENING_BUFFER_MAX + 1, OPENING_BUFFER_MAX + 2]]);
  });

  it('tells waiting workers when it fails, and forgets them', () => {
    const { topic, worker } = topicOf();
    const failed: ToWorker = { kind: 'openFailed', topic: TOPIC, code: 'unavailable', message: 'try again' };
    topic.fail(failed as Extract<ToWorker, { kind: 'openFailed' }>);
    expect(worker.sent).toEqual([failed]);
    expect(topic.isWanted).toBe(false);
  });
});

describe('HubTopic, open', () => {
  it('chains: each publication has the offset before it, and what was delivered already is dropped', () => {
    const offsets = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 60 });
    fc.assert(
      fc.property(offsets, fc.nat(100), fc.nat(60), (published, stateOffset, openAfter) => {
        const { topic, worker } = topicOf();
        published.forEach((offset, index) => {
          if (index === openAfter) topic.open(state(stateOffset));
          topic.publish(item(offset));
        });
        if (!topic.isOpen) topic.open(state(stateOffset));
        let prev = stateOffset;
        for (const [saidPrev, offset] of worker.chain) {
          expect(saidPrev).toBe(prev);
          expect(offset).toBeGreaterThan(prev);
          prev = offset;
        }
        expect(topic.offset).toBe(Math.max(stateOffset, ...published));
      }),
    );
  });

  it('keeps the latest of each key, and at its limit drops the key with the oldest change', () => {
    const { topic } = topicOf({ limits: { keysPerTopicMax: 3 } });
    topic.open(state(3, [item(1, 'a'), item(2, 'b'), item(3, 'c')]));
    topic.publish(item(4, 'a'));
    expect(topic.after(1)).toEqual([item(2, 'b'), item(3, 'c'), item(4, 'a')]);
    topic.publish(item(5, 'd'));
    const late = new RecordingLink();
    topic.addWorker(late);
    expect(late.sent[0]).toMatchObject({ completeFrom: 2, items: [item(3, 'c'), item(4, 'a'), item(5, 'd')] });
    expect(topic.after(1)).toBeUndefined();
    expect(topic.after(2)).toEqual([item(3, 'c'), item(4, 'a'), item(5, 'd')]);
  });

  it('sends one message object to all workers, so that it is encoded once', () => {
    const { topic, worker } = topicOf();
    const other = new RecordingLink();
    topic.addWorker(other);
    topic.open(state(0));
    topic.publish(item(1));
    expect(worker.sent[1]).toBe(other.sent[1]);
  });

  it('says nothing more to a worker that has left', () => {
    const { topic, worker } = topicOf();
    topic.open(state(0));
    topic.removeWorker(worker);
    topic.publish(item(1));
    expect(worker.kinds).toEqual(['opened']);
    expect(topic.isWanted).toBe(false);
  });

  it('has no places and keeps no state when it is ephemeral', () => {
    const { topic, worker } = topicOf({ durable: false });
    topic.open({ epoch: '', offset: 0, completeFrom: 0, items: [] });
    topic.publish(item(0, 'a'));
    topic.publish(item(0, 'a'));
    expect(worker.chain).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const late = new RecordingLink();
    topic.addWorker(late);
    expect(late.sent[0]).toMatchObject({ offset: 0, items: [] });
  });
});

describe('HubTopic, when its log is reset', () => {
  it('buffers until the new state, tells the workers to resync, and continues from it', () => {
    const { topic, worker } = topicOf();
    topic.open(state(100));
    topic.publish(item(101));
    topic.startBuffering();
    expect(topic.isOpen).toBe(false);
    topic.publish(item(6));
    topic.publish(item(8));
    topic.open(state(6, [item(6)], 'e2'), 'the log was reset');
    expect(worker.sent.slice(2)).toEqual([
      { kind: 'resync', topic: TOPIC, topicNumber: 7, reason: 'the log was reset', ...state(6, [item(6)], 'e2') },
      expect.objectContaining({ kind: 'publication', prev: 6, item: item(8) }),
    ]);
    expect(topic).toMatchObject({ epoch: 'e2', offset: 8 });
  });

  it('drops what it buffered from the old log, also while it was being opened', () => {
    const { topic, worker } = topicOf();
    topic.publish(item(500));
    topic.startBuffering();
    topic.publish(item(3));
    topic.open(state(2, [item(2)], 'e2'), 'the log was reset');
    expect(worker.chain).toEqual([[2, 3]]);
  });

  it('sends a worker without the old state the new one, without a resync', () => {
    const { topic, worker } = topicOf();
    topic.open(state(1));
    topic.startBuffering();
    const late = new RecordingLink();
    topic.addWorker(late);
    topic.open(state(2, [], 'e2'), 'the log was reset');
    expect(worker.kinds).toEqual(['opened', 'resync']);
    expect(late.kinds).toEqual(['opened']);
  });

  it('knows an answer that was asked for before', () => {
    const { topic } = topicOf();
    const [first, second] = [topic.startBuffering(), topic.startBuffering()];
    expect([topic.isBuffering(first), topic.isBuffering(second)]).toEqual([false, true]);
    topic.open(state(1));
    expect(topic.isBuffering(second)).toBe(false);
  });
});

describe('HubTopic, opened for a reconnecting client', () => {
  /** What was said to a worker that opens the topic with this position, and what was read of the log for it. */
  async function openedWith(topic: HubTopic, since: Since, bring: (after: number) => void = () => undefined) {
    const read: number[] = [];
    const worker = new RecordingLink();
    topic.addWorker(worker, {
      since,
      bring: async (after) => {
        read.push(after);
        bring(after);
      },
    });
    await Promise.resolve();
    const [opened] = worker.sent;
    if (opened?.kind !== 'opened') throw new Error('not opened');
    return { missed: opened.missed, read };
  }

  function plainTopic() {
    const { topic } = topicOf({ state: 'last' });
    topic.open({ ...state(10, [item(10)]), before: [{ epoch: 'e0', upTo: 4 }] });
    for (const offset of [12, 14]) topic.publish(item(offset));
    return topic;
  }

  it('has with its state what the client missed, and reads the log if it does not have it', async () => {
    const topic = plainTopic();
    expect(await openedWith(topic, { epoch: 'e1', offset: 11 })).toEqual({
      missed: { epoch: 'e1', completeFrom: 11, offset: 14, items: [item(12), item(14)] },
      read: [],
    });
    const bring = () => {
      topic.publish(item(15));
      topic.prepend([item(8), item(10)], 3, 10);
    };
    expect(await openedWith(topic, { epoch: 'e1', offset: 5 }, bring)).toEqual({
      missed: { epoch: 'e1', completeFrom: 5, offset: 15, items: [8, 10, 12, 14, 15].map((offset) => item(offset)) },
      read: [5],
    });
    // A life that this one goes on from, up to its fourth offset.
    expect((await openedWith(topic, { epoch: 'e0', offset: 4 })).missed?.completeFrom).toBe(4);
  });

  it('says nothing of it where nothing was missed or could be proven: the worker asks if it must', async () => {
    const topic = plainTopic();
    for (const since of [
      { epoch: 'e1', offset: 14 },
      { epoch: 'e1', offset: 99 },
      { epoch: 'another', offset: 11 },
      { epoch: 'e0', offset: 5 },
    ])
      expect(await openedWith(topic, since), JSON.stringify(since)).toEqual({ missed: undefined, read: [] });
    expect(await openedWith(topic, { epoch: 'e1', offset: 5 })).toEqual({ missed: undefined, read: [5] });
  });

  it('leaves much to be asked for, so that it is within the bounds of large answers', async () => {
    const topic = plainTopic();
    topic.publish({ ...item(20), data: Buffer.alloc(MISSED_BYTES_MAX) });
    expect((await openedWith(topic, { epoch: 'e1', offset: 12 })).missed).toBeUndefined();
    topic.publish(item(21));
    expect((await openedWith(topic, { epoch: 'e1', offset: 20 })).missed?.items).toHaveLength(1);
  });

  it('of a keyed topic says its state only: it has every key that changed', async () => {
    const { topic } = topicOf();
    topic.open(state(10, [item(10, 'a')]));
    topic.publish(item(11, 'b'));
    expect(await openedWith(topic, { epoch: 'e1', offset: 5 })).toEqual({ missed: undefined, read: [] });
  });

  it('sends the state of a new epoch if the log was reset while it was read', async () => {
    const topic = plainTopic();
    const worker = new RecordingLink();
    let done: () => void = () => undefined;
    const bring = () => new Promise<void>((resolve) => (done = resolve));
    topic.addWorker(worker, { since: { epoch: 'e1', offset: 5 }, bring });
    topic.startBuffering();
    done();
    await Promise.resolve();
    expect(worker.sent).toEqual([]);
    topic.open(state(3, [item(3)], 'e2'));
    topic.publish(item(4));
    expect(worker.kinds).toEqual(['opened', 'publication']);
    expect(worker.sent[0]).toMatchObject({ epoch: 'e2', offset: 3 });
  });
});

describe('HubTopic, its memory', () => {
  const bytesOfAll = (items: readonly LinkItem[]) => items.reduce((sum, one) => sum + bytesOf(one), 0);

  it.each(['keyed', 'last'] as const)('with the state %s counts what it keeps, anew after a reset, until it is closed', (kind) => {
    const { topic, recent } = topicOf({ state: kind });
    topic.open(state(10, kind === 'keyed' ? [item(9, 'a'), item(10, 'b')] : []));
    topic.publish(item(11, 'a'));
    topic.publish(item(12, 'c'));
    expect(recent.bytes).toBe(
      bytesOfAll(kind === 'keyed' ? [item(10, 'b'), item(11, 'a'), item(12, 'c')] : [item(11, 'a'), item(12, 'c')]),
    );
    topic.startBuffering();
    topic.open(state(3, kind === 'keyed' ? [item(3, 'a')] : [], 'e2'));
    expect(recent.bytes).toBe(kind === 'keyed' ? bytesOf(item(3, 'a')) : 0);
    topic.publish(item(4, 'b'));
    topic.close();
    expect(recent.bytes).toBe(0);
  });
});
