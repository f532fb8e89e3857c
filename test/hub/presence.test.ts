import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Channel } from '../../src/bus/channel.ts';
import { loadConfig } from '../../src/config/load.ts';
import { HubPresence, hasPresence } from '../../src/hub/presence.ts';
import type { HubEnd } from '../../src/link/link.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import { memberOf } from '../../src/presence/member.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const LOBBY = 'chat.lobby' as Topic;
const GOALS = 'scores.a' as Topic;

/** The part of a bus that carries announcements. */
class Air {
  connected = true;
  sent = 0;
  bytes = 0;
  readonly #listeners = new Map<Channel, Set<(data: Uint8Array) => void>>();
  readonly #connectedListeners = new Set<(connected: boolean) => void>();

  announce(channel: Channel, data: Uint8Array): void {
    if (!this.connected) return;
    this.sent++;
    this.bytes += data.length;
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener(data);
  }

  onAnnouncement(channel: Channel, listener: (data: Uint8Array) => void): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  onConnectedChange(listener: (connected: boolean) => void): () => void {
    this.#connectedListeners.add(listener);
    return () => this.#connectedListeners.delete(listener);
  }
}

class Link {
  readonly sent: ToWorker[] = [];

  send(message: ToWorker): void {
    this.sent.push(message);
  }

  get changes(): unknown[] {
    return this.sent.splice(0).flatMap((message) => (message.kind === 'presenceChanges' ? message.changes : []));
  }
}

describe('The presence of a hub', () => {
  let air: Air;
  let log: string[];
  const hubs: HubPresence[] = [];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    air = new Air();
    log = [];
  });
  afterEach(() => {
    for (const hub of hubs.splice(0)) hub.stop();
    vi.useRealTimers();
  });

  function hubOf(settings: Record<string, unknown> = {}): HubPresence {
    const { config } = loadConfig({
      env: {},
      flags: {
        namespaces: { chat: { presence: 'members', presenceMembersMax: 3 }, scores: { public: true, presence: 'count' }, plain: {} },
        ...settings,
      },
    });
    const logger = createLogger({ level: 'debug', format: 'json' } as never, { write: (line) => void log.push(line) });
    const hub = new HubPresence({ config, bus: air, logger });
    hubs.push(hub);
    return hub;
  }
  const join = (hub: HubPresence, worker: number, user: string, topic = LOBBY, info?: unknown) =>
    hub.report(worker, {
      kind: 'presenceReport',
      reports: [{ topic, delta: 1, members: [{ member: memberOf(user, 'c', info), delta: 1, closed: false }] }],
    });
  const linkOf = () => new Link() as Link & HubEnd;

  it('exists only if a namespace has presence', () => {
    expect(hasPresence({ namespaces: { a: { presence: 'off' } } } as never)).toBe(false);
    expect(hasPresence({ namespaces: { a: { presence: 'off' }, b: { presence: 'count' } } } as never)).toBe(true);
  });

  it('sends a watching worker the topic’s state, and then its changes in batches', () => {
    const hub = hubOf();
    const link = linkOf();
    join(hub, 0, 'ann', LOBBY, { name: 'Ann' });
    hub.watch(link, LOBBY);
    expect(link.sent.splice(0)).toEqual([
      { kind: 'presenceState', topic: LOBBY, state: { count: 1, members: [{ id: 'uann', info: { name: 'Ann' } }], omitted: false } },
    ]);
    join(hub, 0, 'bob');
    join(hub, 1, 'eve');
    expect(link.sent).toEqual([]);
    vi.advanceTimersByTime(250);
    expect(link.changes).toEqual([{ topic: LOBBY, count: 3, joined: [{ id: 'ubob' }, { id: 'ueve' }] }]);
    vi.advanceTimersByTime(5000);
    expect(link.sent).toEqual([]);
  });

  it('sends every worker the same changes from the moment it watches', () => {
    const hub = hubOf();
    const [first, second] = [linkOf(), linkOf()];
    hub.watch(first, LOBBY);
    join(hub, 0, 'ann');
    hub.watch(second, LOBBY);
    expect(first.changes).toEqual([{ topic: LOBBY, count: 1, joined: [{ id: 'uann' }] }]);
    expect(second.sent.splice(0)).toMatchObject([{ kind: 'presenceState', state: { count: 1, members: [{ id: 'uann' }] } }]);
    join(hub, 0, 'bob');
    vi.advanceTimersByTime(250);
    expect(first.changes).toEqual(second.changes);
    hub.unwatch(first, LOBBY);
    join(hub, 0, 'eve');
    vi.advanceTimersByTime(1000);
    expect(first.sent).toEqual([]);
    expect(second.changes).toHaveLength(1);
  });

  it('removes the members of a worker that is gone, after the grace time', () => {
    const hub = hubOf();
    const [gone, stays] = [linkOf(), linkOf()];
    hub.watch(gone, LOBBY);
    hub.watch(stays, LOBBY);
    join(hub, 0, 'ann');
    join(hub, 1, 'bob');
    vi.advanceTimersByTime(250);
    stays.sent.splice(0);
    gone.sent.splice(0);
    hub.removeWorker(gone, 0);
    vi.advanceTimersByTime(2500);
    expect(stays.changes).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(stays.changes.at(-1)).toMatchObject({ count: 1 });
    expect(gone.sent).toEqual([]);
  });

  it('exchanges state with other nodes, and gets theirs at once when it starts', () => {
    const a = hubOf();
    join(a, 0, 'ann');
    a.report(0, { kind: 'presenceReport', reports: [{ topic: GOALS, delta: 7 }] });
    vi.advanceTimersByTime(1000);
    const b = hubOf();
    vi.advanceTimersByTime(250);
    const link = linkOf();
    b.answer(link, { kind: 'presenceAsk', requestId: 1, topic: LOBBY });
    b.answer(link, { kind: 'presenceAsk', requestId: 2, topic: GOALS });
    b.answer(link, { kind: 'presenceAsk', requestId: 3, topic: 'chat.nobody' as Topic });
    expect(link.sent).toEqual([
      { kind: 'presenceAnswer', requestId: 1, state: { count: 1, members: [{ id: 'uann' }], omitted: false } },
      { kind: 'presenceAnswer', requestId: 2, state: { count: 7, members: undefined, omitted: false } },
      { kind: 'presenceAnswer', requestId: 3, state: { count: 0, members: [], omitted: false } },
    ]);
    expect(b.figures).toMatchObject({ topics: 2, topicsRefused: 0 });
    expect(b.figures.memberBytes).toBeGreaterThan(0);
  });

  it('only counts a topic whose members do not fit tuning.presence.membersBytesMax, on each node, and names others', () => {
    const namespaces = { chat: { presence: 'members', presenceMembersMax: 500 } };
    const [a, b] = [1, 2].map(() => hubOf({ namespaces, 'tuning.presence.membersBytesMax': 65_536 })) as [HubPresence, HubPresence];
    const info = 'x'.repeat(1000);
    for (let i = 0; i < 50; i++) join(a, 0, `user-${i}`, LOBBY, info);
    expect(a.state(LOBBY)?.members).toHaveLength(50);
    for (let i = 50; i < 70; i++) join(a, 0, `user-${i}`, LOBBY, info);
    join(a, 0, 'ann', 'chat.other' as Topic);
    vi.advanceTimersByTime(3000);
    for (const hub of [a, b]) {
      expect(hub.state(LOBBY)).toEqual({ count: 70, members: undefined, omitted: true });
      expect(hub.state('chat.other' as Topic)).toEqual({ count: 1, members: [{ id: 'uann' }], omitted: false });
      expect(hub.figures.memberBytes).toBeLessThan(65_536);
    }
  });

  it('warns once in the log that it refuses topics of other nodes', () => {
    const a = hubOf();
    hubOf({ 'tuning.presence.topicsMax': 1 });
    for (let i = 0; i < 5; i++) join(a, 0, 'ann', `chat.t${i}` as Topic);
    vi.advanceTimersByTime(3000);
    expect(log.filter((line) => line.includes('tuning.presence.topicsMax'))).toHaveLength(1);
  });

  it('ignores invalid messages', () => {
    hubOf();
    for (const data of [Buffer.from(''), Buffer.from('x'), Buffer.from([0xc1]), Buffer.alloc(5_000_000)])
      air.announce('presence.all', data);
    expect(log).toEqual([]);
  });
});
