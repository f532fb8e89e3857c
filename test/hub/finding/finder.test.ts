import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Channel } from '../../../src/bus/channel.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Finder, type LocalSources } from '../../../src/hub/finding/finder.ts';
import { decodeQuestion, encodeAnswer, encodeQuestion } from '../../../src/hub/finding/messages.ts';
import type { OtherNode } from '../../../src/hub/node-answers.ts';
import { SERIES_FIELDS, type SeriesField } from '../../../src/hub/series/fields.ts';
import { packMsgpack } from '../../../src/protocol/msgpack-codec.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

/** A bus that carries announcements at once. */
class Air {
  connected = true;
  readonly sent: { channel: Channel; data: Uint8Array }[] = [];
  readonly #listeners = new Map<Channel, Set<(data: Uint8Array) => void>>();

  announce(channel: Channel, data: Uint8Array): void {
    this.sent.push({ channel, data });
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener(data);
  }

  onAnnouncement(channel: Channel, listener: (data: Uint8Array) => void): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    return () => listeners.delete(listener);
  }
}

const COLUMNS = {
  atMs: [1000],
  ...(Object.fromEntries(SERIES_FIELDS.map((field) => [field, [null]])) as Record<SeriesField, (number | null)[]>),
};

const others = (...names: string[]): OtherNode[] => names.map((nodeId) => ({ instance: `i-${nodeId}`, nodeId }));

describe('The finder', () => {
  let air: Air;
  const finders: Finder[] = [];
  beforeEach(() => {
    vi.useFakeTimers();
    air = new Air();
  });
  afterEach(() => {
    for (const finder of finders.splice(0)) finder.stop();
    vi.useRealTimers();
  });

  function node(nodeId: string, known: OtherNode[], users: Record<string, number>, settings: Record<string, unknown> = {}): Finder {
    const { config } = loadConfig({ env: {}, flags: { 'tuning.hub.findTimeoutMs': 1000, 'tuning.hub.findsInFlightMax': 2, ...settings } });
    const local: LocalSources = {
      users: () => ({
        total: Object.keys(users).length,
        users: Object.entries(users).map(([user, connections]) => ({ user, connections })),
      }),
      topics: async ({ sort }) => ({ sort, total: 0, topics: [], workersSilent: 0 }),
      connections: () => new Promise(() => undefined),
      series: () => ({ ...COLUMNS, connections: [known.length] }),
    };
    const logger = createLogger(config.log, { write: () => undefined });
    const finder = new Finder({ config, bus: air, instance: `i-${nodeId}`, nodeId, logger, local, others: () => known });
    finders.push(finder);
    return finder;
  }

  it('answers with what all nodes have, as soon as all have answered', async () => {
    const a = node('a', others('b', 'c'), { ann: 1, cai: 1 });
    node('b', [], { bob: 1, cai: 2 });
    node('c', [], {});
    expect(await a.users({ limit: 10 })).toEqual({
      total: 3,
      users: [
        { user: 'ann', connections: 1 },
        { user: 'bob', connections: 1 },
        { user: 'cai', connections: 3 },
      ],
      nodes: 3,
      nodesSilent: [],
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has the series of all nodes, its own first', async () => {
    const b = node('b', others('c', 'a'), {});
    node('c', [], {});
    node('a', [], {});
    const { series, intervalMs, nodes } = await b.series();
    expect([intervalMs, nodes]).toEqual([10_000, 3]);
    expect(series.map(({ nodeId, self, connections }) => [nodeId, self, connections])).toEqual([
      ['b', true, [2]],
      ['a', false, [0]],
      ['c', false, [0]],
    ]);
  });

  it('names the nodes that do not answer in time', async () => {
    const a = node('a', others('c', 'b'), { ann: 1 });
    const asked = a.users({ limit: 10 });
    await vi.advanceTimersByTimeAsync(999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await asked).toMatchObject({ total: 1, nodes: 1, nodesSilent: ['b', 'c'] });
  });

  it('does not wait for nodes that it cannot reach, or where there are no others', async () => {
    air.connected = false;
    expect(await node('a', others('b'), {}).users({ limit: 1 })).toMatchObject({ nodes: 1, nodesSilent: ['b'] });
    air.connected = true;
    expect(await node('alone', [], {}).users({ limit: 1 })).toMatchObject({ nodes: 1, nodesSilent: [] });
  });

  it('refuses questions beyond the bound with busy, and takes new ones when an answer has come', async () => {
    const a = node('a', others('b'), {});
    const first = [a.users({ limit: 1 }), a.users({ limit: 1 })];
    await expect(a.users({ limit: 1 })).rejects.toMatchObject({ code: 'busy' });
    await vi.advanceTimersByTimeAsync(1000);
    await Promise.all(first);
    const later = a.users({ limit: 1 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await later).toMatchObject({ nodes: 1 });
  });

  it('answers at most so many questions at the same time, and ignores more', async () => {
    node('b', [], {});
    for (let n = 0; n < 5; n++) {
      const question = { kind: 'connections', target: { user: 'ann' }, limit: 1 } as const;
      air.announce('control.find', encodeQuestion({ questionId: `${n}`, from: 'i-x', question }));
    }
    air.announce('control.find', encodeQuestion({ questionId: 'u', from: 'i-x', question: { kind: 'users', limit: 1 } }));
    await vi.advanceTimersByTimeAsync(0);
    expect(air.sent.filter(({ channel }) => channel === 'control.found.i-x')).toEqual([]);
  });

  it('keeps an answer within its bytes, and takes no more bytes of answers than permitted', async () => {
    const many = Object.fromEntries(Array.from({ length: 4000 }, (_, n) => [`user-${String(n).padStart(5, '0')}-${'x'.repeat(100)}`, 1]));
    const a = node('a', others('b'), {});
    node('b', [], many, { 'tuning.hub.findAnswerBytesMax': 65_536 });
    const page = await a.users({ limit: 10_000 });
    const [answer] = air.sent.filter(({ channel }) => channel === 'control.found.i-a');
    expect(answer?.data.length).toBeLessThanOrEqual(65_536);
    expect(page).toMatchObject({ total: 4000, next: page.users.at(-1)?.user, nodes: 2 });
    expect(page.users.length).toBeGreaterThan(300);

    const tight = node('t', others('d', 'e', 'f'), {}, { 'tuning.hub.findBytesMax': 1_048_576 });
    const asked = tight.users({ limit: 1 });
    const questionId = decodeQuestion(air.sent.at(-1)?.data as Uint8Array)?.questionId ?? '';
    const found = {
      kind: 'users' as const,
      total: 5000,
      users: Array.from({ length: 5000 }, (_, n) => ({ user: `${n}-${'y'.repeat(90)}`, connections: 1 })),
    };
    for (const name of ['d', 'e', 'f']) {
      air.announce('control.found.i-t', encodeAnswer({ questionId, from: `i-${name}`, nodeId: name, found }, 600_000));
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect((await asked).nodesSilent).toEqual(['e', 'f']);
  });

  it('ignores what is no question or answer, and a second answer of a node', async () => {
    const a = node('a', others('b'), {});
    const asked = a.users({ limit: 5 });
    const questionId = decodeQuestion(air.sent[0]?.data as Uint8Array)?.questionId ?? '';
    const found = { kind: 'users' as const, total: 1, users: [{ user: 'bob', connections: 1 }] };
    const wrong = [{ questionId, from: 'i-b', nodeId: 'b', found: { kind: 'users', total: -1, users: [] } }, { from: 'i-b' }, 7, null];
    for (const one of wrong) air.announce('control.found.i-a', packMsgpack(one));
    air.announce('control.found.i-a', new Uint8Array([0xc1]));
    air.announce('control.find', packMsgpack({ questionId: '1', from: 'i.*.>', question: { kind: 'users', limit: 1 } }));
    const answer = { questionId, from: 'i-unknown', nodeId: 'new', found };
    for (let n = 0; n < 2; n++) air.announce('control.found.i-a', encodeAnswer(answer, 65_536));
    air.announce('control.found.i-a', encodeAnswer({ ...answer, from: 'i-b', nodeId: 'b' }, 65_536));
    expect(await asked).toEqual({ total: 1, users: [{ user: 'bob', connections: 2 }], nodes: 3, nodesSilent: [] });
    expect(air.sent.filter(({ channel }) => channel.includes('>'))).toEqual([]);
  });
});
